// A module without a function.
export const nothing = 1;
