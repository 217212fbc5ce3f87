const { contextBridge, ipcRenderer } = require('electron')

let onEvent = () => {}
ipcRenderer.on('event', (_event, event) => onEvent(event))

contextBridge.exposeInMainWorld('softprompt', {
  chooseFile: () => ipcRenderer.invoke('chooseFile'),
  tune(path, listener) {
    onEvent = listener
    return ipcRenderer.invoke('tune', path)
  },
  ask: (input) => ipcRenderer.invoke('ask', input),
})
