/** Shown below the help. */
export const EXIT_CODES: string = `
Exit codes: 0 ok, 1 runtime error, 2 wrong usage or filter, 7 not permitted, 130 interrupted.`;
