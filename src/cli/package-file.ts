/**
 * A file of the package.
 *
 * @param path - from the package's folder
 */
export function packageFile(path: string): URL {
  // This module is two folders down, as it is and in the bundle.
  return new URL(`../../${path}`, import.meta.url);
}
