/** "Look at this lane." */
export const BELLS = 'bells';
