/**
 * What people build with packets, ready to use: made of the public API, nothing below it.
 *
 * @module
 */
export { type RejectAnswer, type RejectOptions, rejectAnswers } from './reject/answers.ts';
export { reject } from './reject/reject.ts';
export type { UnreachableReason } from './reject/unreachable.ts';
