/** Native code does not see into Electron's archives: what lies in `app.asar` is opened from `app.asar.unpacked`. */
export function unpackedPath(path: string): string {
  return path.replace(/\.asar(?=[\\/])/g, '.asar.unpacked')
}
