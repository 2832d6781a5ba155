/**
 * Name of the n-th file, as tcpdump names them: `%Y`, `%m`, `%d`, `%H`, `%M`, `%S` and `%s` in the path are
 * the time it is started; without them a number is appended, from the second file on or, with a
 * number of files, always and with leading zeros.
 *
 * @param index - 0-based
 * @param fileCount - how many files there are at a time
 */
export function fileNameAt(
  path: string,
  index: number,
  time: Date,
  { fileCount }: { readonly fileCount?: number | undefined },
): string {
  const isTimed = /%[YmdHMSs]/.test(path);
  const name = path.replace(/%([YmdHMSs%])/g, (_match, letter: string) => timePart(time, letter));
  if (fileCount !== undefined) {
    return name + String(index % fileCount).padStart(String(fileCount - 1).length, '0');
  }
  return index === 0 || isTimed ? name : name + index;
}

function timePart(time: Date, letter: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  switch (letter) {
    case 'Y':
      return String(time.getFullYear());
    case 'm':
      return two(time.getMonth() + 1);
    case 'd':
      return two(time.getDate());
    case 'H':
      return two(time.getHours());
    case 'M':
      return two(time.getMinutes());
    case 'S':
      return two(time.getSeconds());
    case 's':
      return String(Math.floor(time.getTime() / 1000));
    default:
      return '%';
  }
}
