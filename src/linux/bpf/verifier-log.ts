/**
 * The verifier's log as lines, and the one line of it that says why.
 *
 * @module
 */

const STATISTICS = /^(processed \d+ insns|verification time|stack depth|peak_states)/;
/** Lines that show state or code: `12: (85) call ...`, `; source`, `from 3 to 7: R0=...`, ` R1_w=...`. */
const TRACE =
  /^(\d+: |;|from \d+ to |\s|R\d+(_\w+)?=|func#|last_idx|first_idx|regs=|parent |mark_precise)/;
/** Where newer verifiers (Linux 7.3) begin to explain their complaint, in lines of many forms. */
const EXPLANATION = /^Verification failed: /;
/** Of a helper that this kernel does not have. */
const UNKNOWN_HELPER = /unknown func/;
/** A complaint about registers, e.g. `R1 type=inv expected=ctx`, is no trace. */
const COMPLAINT = /^R\d+ (?!=)/;

/**
 * Splits a log buffer.
 *
 * @param bytes text up to the first NUL
 * @returns lines without their line ends, empty ones left out
 */
export function parseVerifierLog(bytes: Uint8Array): string[] {
  const end = bytes.indexOf(0);
  const text = new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end));
  return text.split('\n').filter((line) => line.trim() !== '');
}

/**
 * Finds the complaint: the last line that is neither trace nor statistics, with the instruction it is about.
 *
 * @param log lines of a log
 * @returns one line, for example `R0 !read_ok (at 12: (95) exit)`
 */
export function summarizeVerifierLog(log: readonly string[]): string {
  const explanation = log.findIndex((line) => EXPLANATION.test(line));
  const lines = explanation < 0 ? log : log.slice(0, explanation);
  const complaint = lines.findLastIndex(
    (line) => !STATISTICS.test(line) && (COMPLAINT.test(line) || !TRACE.test(line)),
  );
  const title = log[explanation]?.replace(EXPLANATION, '');
  const reason = lines[complaint]?.trim() ?? title ?? log.at(-1) ?? 'no reason given';
  const before = complaint < 0 ? lines : lines.slice(0, complaint);
  const where = before.findLast((line) => /^\d+: \(/.test(line));
  const instruction = where?.replace(/\s*;\s.*$/, '');
  return instruction === undefined ? reason : `${reason} (at ${instruction})`;
}

/**
 * Whether a complaint may be for want of CAP_PERFMON: of a helper or a use of pointers that needs it; or of what might go wrong
 * on a branch that is never taken, which up to Linux 6.16 can be anything.
 */
export function mayLackPerfmon(summary: string): boolean {
  return !UNKNOWN_HELPER.test(summary);
}
