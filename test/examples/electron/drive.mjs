// Run inside the example's main process (DRIVE=…): uses the window as a user does, prints what it shows, and ends the app.
export default async function drive({ app, window }) {
  const page = (code) => window.webContents.executeJavaScript(code)
  const until = (condition) => page(`new Promise((done) => { const look = () => (${condition}) ? done() : setTimeout(look, 50); look() })`)
  await page("document.getElementById('choose').click()")
  await until("/^Learned/.test(document.getElementById('status').textContent) || document.getElementById('status').className === 'failed'")
  await page("document.getElementById('question').value = 'play some jazz'; document.getElementById('ask').requestSubmit()")
  await until("document.getElementById('answer').textContent !== ''")
  const shown = await page(
    "({ status: document.getElementById('status').textContent, answer: document.getElementById('answer').textContent })",
  )
  console.log(JSON.stringify(shown))
  app.quit()
}
