// The page: three functions of `window.softprompt` (preload.cjs) are all it knows of the rest.
import { Curve } from './curve.mjs'

const at = (id) => document.getElementById(id)
const { softprompt } = window
const curve = new Curve(at('curve'))

function show(text, failed = false) {
  at('status').textContent = text
  at('status').classList.toggle('failed', failed)
}

function usable(controls, yes) {
  for (const control of controls) control.disabled = !yes
}

const asking = [at('question'), at('ask').querySelector('button')]

at('choose').addEventListener('click', async () => {
  const path = await softprompt.chooseFile()
  if (!path) return
  at('file').textContent = path.split(/[\\/]/).at(-1)
  usable([at('choose'), ...asking], false)
  curve.clear()
  show('Loading the model and the data…')
  try {
    const { rows, dModel, seconds } = await softprompt.tune(path, (event) => {
      curve.add(event)
      if (event.loss !== undefined) show(`Step ${event.step} of ${event.steps}, loss ${event.loss.toFixed(2)}`)
    })
    show(`Learned ${rows} × ${dModel} numbers in ${seconds.toFixed(0)} s.`)
    usable(asking, true)
  } catch (error) {
    show(error.message, true)
  }
  usable([at('choose')], true)
})

at('ask').addEventListener('submit', async (event) => {
  event.preventDefault()
  usable(asking, false)
  at('answer').textContent = await softprompt.ask(at('question').value).catch((error) => error.message)
  usable(asking, true)
})
