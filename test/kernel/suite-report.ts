/**
 * What the suite says while it runs in a virtual machine, where it takes long and may be cut off: each failure at
 * once, each file when it ends, the sums last.
 *
 * @module
 */
import { release } from 'node:os';
import type { Reporter, SerializedError, TestCase, TestModule } from 'vitest/node';

const STACK_LINES = 3;
/** How often a file that takes long says where it is. */
const PATIENCE_MS = 60_000;
const START_MS = performance.now();

export class SuiteReport implements Reporter {
  #started = 0;
  #timer: NodeJS.Timeout | undefined;
  #current = 'loading';
  #done = 0;
  readonly #sums = { passed: 0, skipped: 0, failed: 0, files: 0 };

  onTestRunStart(files: readonly unknown[]): void {
    this.#started = files.length;
  }

  onTestModuleStart(module: TestModule): void {
    const start = performance.now();
    this.#done = 0;
    this.#timer = setInterval(() => {
      const seconds = Math.round((performance.now() - start) / 1000);
      say(
        `      ${seconds} s: ${module.relativeModuleId}, ${this.#done} tests, now ${this.#current}`,
      );
    }, PATIENCE_MS);
  }

  onTestCaseReady(test: TestCase): void {
    this.#current = test.fullName;
  }

  onTestCaseResult(test: TestCase): void {
    this.#done++;
    const { state, errors } = test.result();
    if (state === 'failed') say(`      FAIL  ${test.fullName}\n${describeErrors(errors)}`);
  }

  onTestModuleEnd(module: TestModule): void {
    clearInterval(this.#timer);
    const count = (state: 'passed' | 'skipped' | 'failed'): number =>
      [...module.children.allTests(state)].length;
    const [passed, skipped, failed] = [count('passed'), count('skipped'), count('failed')];
    this.#sums.passed += passed;
    this.#sums.skipped += skipped;
    this.#sums.failed += failed;
    this.#sums.files++;
    const seconds = Math.round(module.diagnostic().duration / 1000);
    const result = module.ok() ? 'ok  ' : 'FAIL';
    const others = `${skipped > 0 ? `, ${skipped} left out` : ''}${failed > 0 ? `, ${failed} FAILED` : ''}`;
    const place = `${this.#sums.files}/${this.#started}`;
    say(`${result}  ${module.relativeModuleId}: ${passed} passed${others} (${seconds} s) ${place}`);
    for (const error of module.errors()) say(describeErrors([error]));
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0)
        say(`      ${suite.fullName}\n${describeErrors(suite.errors())}`);
    }
  }

  onTestRunEnd(_: readonly TestModule[], errors: readonly SerializedError[]): void {
    if (errors.length > 0) say(`outside tests:\n${describeErrors(errors)}`);
    const { passed, skipped, failed, files } = this.#sums;
    const minutes = ((performance.now() - START_MS) / 60_000).toFixed(1);
    const sums = `${passed} passed, ${skipped} left out, ${failed} failed`;
    say(
      `Linux ${release()}, Node ${process.versions.node}: ${sums}, ${files} files, ${minutes} min`,
    );
  }
}

function describeErrors(errors: readonly SerializedError[] = []): string {
  return errors.map(describeError).join('\n');
}

function describeError({ name, message, diff, stack = '', stacks = [] }: SerializedError): string {
  const frames = (stacks as readonly { file: string; line: number }[])
    .slice(0, STACK_LINES)
    .map(({ file, line }) => `at ${file}:${line}`);
  const places = frames.length > 0 ? frames : stack.split('\n').slice(1, 1 + STACK_LINES);
  const lines = [`${name}: ${message}`, ...`${diff ?? ''}`.split('\n').filter(Boolean), ...places];
  return lines.map((line) => `            ${line}`).join('\n');
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
