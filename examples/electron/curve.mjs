const SVG = 'http://www.w3.org/2000/svg'
const LEFT = 46
const RIGHT = 640
const TOP = 14
const BOTTOM = 226

/** Draws the loss of each step as a line, and accuracies as points with their percentages. */
export class Curve {
  #svg
  #steps = 1
  #losses = []
  #accuracies = []

  constructor(svg) {
    this.#svg = svg
  }

  add({ step, steps, loss, accuracy }) {
    if (steps) this.#steps = steps
    if (loss !== undefined) this.#losses.push({ step, loss })
    if (accuracy !== undefined) this.#accuracies.push({ step, accuracy })
    this.#draw()
  }

  clear() {
    this.#losses = []
    this.#accuracies = []
    this.#draw()
  }

  #draw() {
    const highest = Math.max(...this.#losses.map(({ loss }) => loss), 1e-9)
    const x = (step) => LEFT + ((RIGHT - LEFT) * step) / this.#steps
    const y = (share) => BOTTOM - (BOTTOM - TOP) * share
    const points = this.#losses.map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss / highest).toFixed(1)}`)
    this.#svg.replaceChildren(
      element('path', { class: 'axis', d: `M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}` }),
      element('text', { x: 4, y: TOP + 6 }, highest.toPrecision(3)),
      element('text', { x: 4, y: BOTTOM }, '0'),
      element('text', { x: RIGHT - 20, y: BOTTOM + 18 }, `step ${this.#steps}`),
      element('polyline', { class: 'loss', points: points.join(' ') }),
      ...this.#accuracies.flatMap(({ step, accuracy }) => [
        element('circle', { class: 'accuracy', cx: x(step), cy: y(accuracy), r: 4 }),
        element('text', { x: x(step) - 8, y: y(accuracy) - 9 }, `${Math.round(100 * accuracy)} %`),
      ]),
    )
  }
}

function element(name, attributes, text = '') {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.textContent = text
  return made
}
