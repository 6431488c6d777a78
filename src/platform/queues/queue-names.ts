/** "Look at this lane." */
export const BELLS = 'bells';

/** "Callbacks are due": a queue of its own, so that receivers who take their time hold up no lane. */
export const CALLBACK_BELLS = 'callbacks';
