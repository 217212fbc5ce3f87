/** Nested settings under dotted names. */
export function flat(values: object, prefix = ''): [string, string][] {
  return Object.entries(values).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return []
    if (Array.isArray(value)) return [[prefix + name, value.join(', ')]]
    if (typeof value === 'object' && value !== null) return flat(value, `${prefix}${name}.`)
    return [[prefix + name, String(value)]]
  })
}
