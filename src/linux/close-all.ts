/**
 * Closing what a channel is made of: one part that cannot be closed keeps none of the others open.
 *
 * @module
 */

/**
 * Takes every step, in order, whatever those before it did.
 *
 * @throws what the first one that failed threw, after the last one
 */
export function closeAll(steps: readonly (() => void)[]): void {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

/**
 * The same for steps that take their time: each begins when the one before it is done.
 *
 * @throws as {@link closeAll}
 */
export async function closeInTurn(steps: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}
