export const SUMMARY_GROUPS = ['state', 'errorCode', 'reason', 'caller', 'project', 'task', 'hour', 'day'] as const;
export type SummaryGroup = (typeof SUMMARY_GROUPS)[number];
