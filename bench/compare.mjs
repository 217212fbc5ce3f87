/**
 * Has all contenders do the same work, round by round in turns, so that what else the machine does hits all alike; with `apart` one after the other, for work that
 * would not fit in memory at once. Round 0 warms up and is not timed.
 *
 * `request(round)` gives { work, body, items, flops, bytes? }: what to ask, and what it costs at least (`bytes(dtype)` read). Each contender's entry has the samples of
 * its rounds; one that fails has `failed`, and the others go on. A contender may `adapt` each request to its own way.
 */
export async function compare(contenders, { rounds, request, apart = false }) {
  const entries = entriesOf(contenders)
  const groups = apart ? contenders.map((_, i) => [i]) : [contenders.map((_, i) => i)]
  for (const group of groups) {
    const running = new Map(group.map((i) => [i, contenders[i].start()]))
    for (let round = 0; round <= rounds; round++)
      for (const i of group) await attempt(entries[i], () => oneRound(contenders[i], running.get(i), entries[i], request(round), round))
    for (const i of group) {
      await attempt(entries[i], async () => {
        entries[i].memory = await running.get(i).ask('memory')
      })
      await running.get(i).close()
    }
  }
  return entries
}

/** Where each contender's samples go. */
export function entriesOf(contenders) {
  return contenders.map(({ name, dtype }) => ({ name, dtype, seconds: [], cpu: [], rates: [], flops: [], bytes: [] }))
}

/** Does a piece of the work unless one before failed. */
export async function attempt(entry, work) {
  if (entry.failed) return
  try {
    await work()
  } catch (error) {
    entry.failed = error.message
  }
}

async function oneRound(contender, running, entry, request, round) {
  // Who takes part in few rounds because one takes minutes is not warmed up either.
  const few = contender.rounds !== undefined
  if (few && (round === 0 || round > contender.rounds)) return
  const { work, body, items, flops, bytes } = contender.adapt?.(request) ?? request
  const { seconds, cpu } = await running.ask(work, body)
  if (round === 0) return
  entry.seconds.push(seconds)
  entry.cpu.push(cpu)
  entry.rates.push(items / seconds)
  entry.flops.push(flops / seconds)
  if (bytes) entry.bytes.push(bytes(entry.dtype) / seconds)
}
