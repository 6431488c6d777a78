/** The offset of a lookup that has read all pages, and asks for what it did not see cluster by cluster. */
export const ONE_BY_ONE = -1;
