/** Is the C library of this process musl, and not glibc? (LIBC is node-gyp-build's variable.) */
export function isMusl(): boolean {
  if (process.platform !== 'linux') return false
  if (process.env.LIBC) return process.env.LIBC === 'musl'
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime === undefined
}
