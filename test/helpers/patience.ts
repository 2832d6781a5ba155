/**
 * How many times longer than usual to wait for others: 1, and more where the processor is emulated (`test/kernel`).
 *
 * @module
 */
export const PATIENCE: number = Number(process.env.PATIENCE ?? 1);
