/** Calls to a process that answers `{ id, … }` to `{ id, call, … }` (tuner.mjs). `child` is Electron's utility process, or a ChildProcess. */
export function callsTo(child) {
  const open = new Map()
  let last = 0
  const send = (message) => (child.postMessage ? child.postMessage(message) : child.send(message))

  child.on('message', ({ id, event, result, failure }) => {
    const { onEvent, resolve, reject } = open.get(id) ?? {}
    if (event) return onEvent?.(event)
    open.delete(id)
    if (failure) reject?.(Object.assign(new Error(failure.message), { code: failure.code }))
    else resolve?.(result)
  })
  child.on('exit', (code) => {
    for (const { reject } of open.values()) reject(new Error(`the computing process ended with ${code}`))
    open.clear()
  })

  const call = (name, values, onEvent) =>
    new Promise((resolve, reject) => {
      open.set(++last, { onEvent, resolve, reject })
      send({ id: last, call: name, ...values })
    })
  return {
    /** Learns from a CSV file; `onEvent` gets `{ step, steps, loss }` and `{ step, accuracy }`. */
    tune: (path, onEvent) => call('tune', { path }, onEvent),
    ask: (input) => call('ask', { input }),
    close: () => call('close', {}),
  }
}
