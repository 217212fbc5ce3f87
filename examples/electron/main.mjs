import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { app, BrowserWindow, dialog, ipcMain, utilityProcess } from 'electron'
import { callsTo } from './calls.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const packed = join(process.resourcesPath, 'nano-t5')
const model = existsSync(packed) ? packed : join(here, 'node_modules', 'softprompt', 'models', 'nano-t5')

await app.whenReady()
const tuner = callsTo(utilityProcess.fork(join(here, 'tuner.mjs'), [model, process.env.STEPS ?? '200'], { serviceName: 'softprompt' }))

ipcMain.handle('chooseFile', async () => {
  if (process.env.CSV) return process.env.CSV // for tests: a dialog cannot be clicked
  const { filePaths } = await dialog.showOpenDialog({ filters: [{ name: 'CSV', extensions: ['csv'] }], properties: ['openFile'] })
  return filePaths[0] ?? null
})
ipcMain.handle('tune', ({ sender }, path) => tuner.tune(path, (event) => sender.isDestroyed() || sender.send('event', event)))
ipcMain.handle('ask', (_event, input) => tuner.ask(input))

const window = new BrowserWindow({
  width: 760,
  height: 640,
  webPreferences: { preload: join(here, 'preload.cjs'), contextIsolation: true, sandbox: true },
})
await window.loadFile(join(here, 'index.html'))
app.on('window-all-closed', () => app.quit())
if (process.env.DRIVE) (await import(process.env.DRIVE)).default({ app, window })
