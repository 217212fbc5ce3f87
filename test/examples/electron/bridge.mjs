// In a browser, stands where preload.cjs stands in Electron: the same three functions, over HTTP to the same tuner. Then uses the page as a user does.
const post = (path, body) => fetch(path, { method: 'POST', body: JSON.stringify(body) })

async function answer(response) {
  const { result, failure } = await response.json()
  if (failure) throw new Error(failure)
  return result
}

window.softprompt = {
  chooseFile: async () => '/somewhere/requests.csv',
  async tune(path, onEvent) {
    const lines = (await (await post('/tune', { path })).text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const last = lines.pop()
    for (const event of lines) onEvent(event)
    if (last.failure) throw new Error(last.failure)
    return last.result
  },
  ask: async (input) => answer(await post('/ask', { input })),
}

addEventListener('load', () => {
  const at = (id) => document.getElementById(id)
  at('choose').click()
  new MutationObserver(() => {
    if (at('question').disabled || at('answer').textContent) return
    at('question').value = 'play some jazz'
    at('ask').requestSubmit()
  }).observe(at('question'), { attributes: true })
})
