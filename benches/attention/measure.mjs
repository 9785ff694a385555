// How often a square crop keeps the marked subject: ours against sharp's, and the plain centre.
//
//   npm install sharp
//   node measure.mjs CORPUS 'lablink-storage'
//
// The second argument is our command, which may have arguments: 'python -m lablink_storage'. A crop is found again
// by sliding it along the whole picture at the same size: the place where they differ least.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

const SIDE = 256
// The share of the subject, along the side that is cut, that has to be inside.
const KEPT = 0.95

const [corpus, command] = process.argv.slice(2)
const lines = readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'subjects.csv'), 'utf8').trim().split('\n')
const subjects = lines.slice(2).map((line) => line.split(',')).map(([path, ...numbers]) => [path, ...numbers.map(Number)])

const gray = (image) => image.flatten({ background: '#fff' }).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true })

/** Where a crop of the picture begins, as a share of its longer side. */
async function found(picture, crop) {
  const { data, info } = picture
  const { data: part } = await gray(sharp(crop).resize(SIDE, SIDE, { fit: 'fill' }))
  const isWide = info.width > info.height
  let [best, least] = [0, Infinity]
  for (let offset = 0; offset <= Math.max(info.width, info.height) - SIDE; offset++) {
    let sum = 0
    for (let y = 0; y < SIDE; y += 3) {
      for (let x = 0; x < SIDE; x += 3) {
        const at = isWide ? y * info.width + x + offset : (y + offset) * info.width + x
        sum += Math.abs(data[at] - part[y * SIDE + x])
      }
    }
    if (sum < least) [best, least] = [offset, sum]
  }
  return best
}

/** The share of the subject that the crop keeps. */
function share(picture, offset, [left, top, width, height]) {
  const { info } = picture
  const long = Math.max(info.width, info.height)
  const [from, length] = info.width > info.height ? [left * long, width * long] : [top * long, height * long]
  const inside = Math.min(from + length, offset + SIDE) - Math.max(from, offset)
  return Math.max(0, inside) / length
}

function ours(file) {
  const folder = mkdtempSync(join(tmpdir(), 'attention-'))
  try {
    const [program, ...args] = command.split(' ')
    const options = ['--max-width', SIDE, '--max-height', SIDE, '--fit', 'cover', '--gravity', 'attention', '--format', 'png', '--max-duration', 100]
    execFileSync(program, [...args, 'optimize', file, '-o', folder, ...options.map(String)], { stdio: ['ignore', 'ignore', 'inherit'] })
    return readFileSync(join(folder, readdirSync(folder)[0]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const kept = { ours: 0, sharp: 0, centre: 0 }
for (const [path, ...rectangle] of subjects) {
  const file = join(corpus, path)
  const upright = await sharp(file, { failOn: 'none' }).autoOrient().toColourspace('srgb').png().toBuffer({ resolveWithObject: true })
  const { width, height } = upright.info
  const scale = SIDE / Math.min(width, height)
  const size = [Math.max(SIDE, Math.round(width * scale)), Math.max(SIDE, Math.round(height * scale))]
  const picture = await gray(sharp(upright.data).resize(...size, { fit: 'fill' }))
  const theirs = await sharp(upright.data).resize(SIDE, SIDE, { fit: 'cover', position: sharp.strategy.attention }).png().toBuffer()
  const offsets = { ours: await found(picture, ours(file)), sharp: await found(picture, theirs), centre: (Math.max(...size) - SIDE) / 2 }
  const shares = Object.entries(offsets).map(([who, offset]) => {
    const found = share(picture, offset, rectangle)
    kept[who] += found >= KEPT
    return `${who} ${found.toFixed(2)}`
  })
  console.log(shares.join('  '), path)
}
console.log(`kept, of ${subjects.length}: ours ${kept.ours}, sharp ${kept.sharp}, the centre ${kept.centre}`)
process.exitCode = kept.ours >= kept.sharp ? 0 : 1
