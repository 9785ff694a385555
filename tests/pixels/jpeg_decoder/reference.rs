//! A JPEG decoder that does one bit at a time what the flow charts of ITU-T T.81 say (annexes F and G),
//! up to the coefficients, and the samples that these mean in double precision. It is slow, knows no
//! damaged files, and shares nothing with the decoder that it checks.

use std::f64::consts::PI;

const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// One component: its dequantised coefficients, block by block, in natural order.
pub struct Component {
    id: u8,
    horizontal: usize,
    vertical: usize,
    quantization: usize,
    /// Blocks in a row, padding included, and those of the image.
    across: usize,
    real: (usize, usize),
    pub blocks: Vec<[i32; 64]>,
}

impl Component {
    /// The sample at `x`, `y` of the plane at n/8.
    pub fn ideal(&self, basis: &Basis, x: usize, y: usize) -> f64 {
        let n = basis.0.len();
        let block = &self.blocks[y / n * self.across + x / n];
        let mut sum = 128.0;
        for (v, vertical) in basis.0[y % n].iter().enumerate() {
            for (u, horizontal) in basis.0[x % n].iter().enumerate() {
                sum += vertical * horizontal * f64::from(block[v * 8 + u]);
            }
        }
        sum.clamp(0.0, 255.0)
    }
}

/// The n-point inverse DCT (A.3.3): for each sample, the weight of each of the n lowest frequencies.
pub struct Basis(Vec<Vec<f64>>);

impl Basis {
    pub fn new(n: usize) -> Self {
        let weight = |u: usize, x: usize| {
            let norm = if u == 0 { 0.5f64.sqrt() } else { 1.0 };
            norm / 2.0 * ((2 * x + 1) as f64 * u as f64 * PI / (2 * n) as f64).cos()
        };
        Self(
            (0..n)
                .map(|x| (0..n).map(|u| weight(u, x)).collect())
                .collect(),
        )
    }
}

#[derive(Default, Clone)]
struct Huffman {
    counts: Vec<u8>,
    symbols: Vec<u8>,
}

/// The bits of one restart interval, stuffing removed; zeros behind its end.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn bit(&mut self) -> i32 {
        let byte = self.bytes.get(self.at / 8).copied().unwrap_or(0);
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        bit.into()
    }

    fn bits(&mut self, count: u32) -> i32 {
        (0..count).fold(0, |value, _| value << 1 | self.bit())
    }

    /// RECEIVE and EXTEND (F.2.2.1).
    fn value(&mut self, size: u32) -> i32 {
        let value = self.bits(size);
        if size > 0 && value < 1 << (size - 1) {
            value - (1 << size) + 1
        } else {
            value
        }
    }

    /// DECODE (F.2.2.3).
    fn symbol(&mut self, table: &Huffman) -> (usize, u32) {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for &count in &table.counts {
            code = code << 1 | self.bit();
            if code - first < i32::from(count) {
                let symbol = table.symbols[(index + code - first) as usize];
                return (usize::from(symbol >> 4), u32::from(symbol & 15));
            }
            index += i32::from(count);
            first = (first + i32::from(count)) << 1;
        }
        panic!("no code");
    }
}

/// The restart intervals of the scan whose data begins at `at`, and where its end is.
fn intervals(data: &[u8], mut at: usize) -> (Vec<Bits>, usize) {
    let mut intervals = vec![Bits::default()];
    loop {
        match (data[at], data[at + 1]) {
            (0xFF, 0) => {
                intervals.last_mut().expect("one at least").bytes.push(0xFF);
                at += 2;
            }
            (0xFF, 0xFF) => at += 1,
            (0xFF, 0xD0..=0xD7) => {
                intervals.push(Bits::default());
                at += 2;
            }
            (0xFF, _) => return (intervals, at),
            (byte, _) => {
                intervals.last_mut().expect("one at least").bytes.push(byte);
                at += 1;
            }
        }
        if at + 1 >= data.len() {
            return (intervals, data.len());
        }
    }
}

/// The scan header's parameters (B.2.3).
struct Scan {
    from: usize,
    to: usize,
    high: u8,
    low: u8,
}

/// The components of the first image in `data`.
pub fn decode(data: &[u8]) -> Vec<Component> {
    let mut quantization = vec![[0i32; 64]; 4];
    let mut tables = vec![Huffman::default(); 8];
    let mut components: Vec<Component> = Vec::new();
    let (mut at, mut interval, mut progressive) = (2, 0, false);
    let word = |at: usize| usize::from(data[at]) << 8 | usize::from(data[at + 1]);
    while at + 3 < data.len() {
        if data[at] != 0xFF || matches!(data[at + 1], 0 | 1 | 0xD0..=0xD7 | 0xFF) {
            at += 1;
            continue;
        }
        let (marker, body, end) = (data[at + 1], at + 4, at + 2 + word(at + 2));
        match marker {
            0xD9 => break,
            0xDB => {
                let mut at = body;
                while at < end {
                    let (wide, table) = (data[at] >> 4 == 1, usize::from(data[at] & 15));
                    at += 1;
                    for value in &mut quantization[table] {
                        *value = if wide {
                            word(at) as i32
                        } else {
                            data[at].into()
                        };
                        at += if wide { 2 } else { 1 };
                    }
                }
            }
            0xC4 => {
                let mut at = body;
                while at < end {
                    let table = usize::from(data[at] >> 4) * 4 + usize::from(data[at] & 15);
                    let counts = data[at + 1..at + 17].to_vec();
                    let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
                    let symbols = data[at + 17..at + 17 + total].to_vec();
                    tables[table] = Huffman { counts, symbols };
                    at += 17 + total;
                }
            }
            0xC0..=0xC2 => {
                progressive = marker == 0xC2;
                let (height, width) = (word(body + 1), word(body + 3));
                for field in data[body + 6..end].chunks(3) {
                    components.push(Component {
                        id: field[0],
                        horizontal: usize::from(field[1] >> 4),
                        vertical: usize::from(field[1] & 15),
                        quantization: field[2].into(),
                        across: 0,
                        real: (0, 0),
                        blocks: Vec::new(),
                    });
                }
                if let [component] = &mut components[..] {
                    (component.horizontal, component.vertical) = (1, 1);
                }
                let widest = components
                    .iter()
                    .map(|component| component.horizontal)
                    .max()
                    .unwrap_or(1);
                let tallest = components
                    .iter()
                    .map(|component| component.vertical)
                    .max()
                    .unwrap_or(1);
                for component in &mut components {
                    let (h, v) = (component.horizontal, component.vertical);
                    component.across = width.div_ceil(8 * widest) * h;
                    component.real = (
                        (width * h).div_ceil(widest).div_ceil(8),
                        (height * v).div_ceil(tallest).div_ceil(8),
                    );
                    let rows = height.div_ceil(8 * tallest) * v;
                    component.blocks = vec![[0; 64]; component.across * rows];
                }
            }
            0xDD => interval = word(body),
            0xDA => {
                let count = usize::from(data[body]);
                let named: Vec<(usize, usize, usize)> = data[body + 1..body + 1 + 2 * count]
                    .chunks(2)
                    .map(|field| {
                        let index = components
                            .iter()
                            .position(|component| component.id == field[0]);
                        (
                            index.expect("in the frame"),
                            usize::from(field[1] >> 4),
                            usize::from(field[1] & 15) + 4,
                        )
                    })
                    .collect();
                let band = &data[body + 1 + 2 * count..];
                let scan = Scan {
                    from: band[0].into(),
                    to: band[1].into(),
                    high: band[2] >> 4,
                    low: band[2] & 15,
                };
                let (mut bits, next) = intervals(data, end);
                decode_scan(
                    &mut components,
                    &named,
                    &tables,
                    &scan,
                    progressive,
                    interval,
                    &mut bits,
                );
                at = next;
                continue;
            }
            _ => {}
        }
        at = end;
    }
    for component in &mut components {
        let table = quantization[component.quantization];
        for block in &mut component.blocks {
            let zigzag = *block;
            for k in 0..64 {
                block[ZIGZAG[k]] = zigzag[k] * table[k];
            }
        }
    }
    components
}

fn decode_scan(
    components: &mut [Component],
    named: &[(usize, usize, usize)],
    tables: &[Huffman],
    scan: &Scan,
    progressive: bool,
    interval: usize,
    intervals: &mut [Bits],
) {
    let (mut predictions, mut run, mut restarts) = ([0; 4], 0, 0);
    // MCUs, or blocks where a component is alone (A.2).
    let first = &components[named[0].0];
    let (across, down) = match named.len() {
        1 => first.real,
        _ => {
            let across = first.across / first.horizontal;
            (across, first.blocks.len() / first.across / first.vertical)
        }
    };
    for mcu in 0..across * down {
        if interval > 0 && mcu > 0 && mcu % interval == 0 {
            (predictions, run, restarts) = ([0; 4], 0, restarts + 1);
        }
        let bits = &mut intervals[restarts];
        for &(index, dc, ac) in named {
            let component = &mut components[index];
            let (h, v) = if named.len() == 1 {
                (1, 1)
            } else {
                (component.horizontal, component.vertical)
            };
            for (j, i) in (0..v).flat_map(|j| (0..h).map(move |i| (j, i))) {
                let (x, y) = (mcu % across * h + i, mcu / across * v + j);
                let block = &mut component.blocks[y * component.across + x];
                let prediction = &mut predictions[index];
                match (progressive, scan.from, scan.high) {
                    (false, ..) => sequential(block, bits, &tables[dc], &tables[ac], prediction),
                    (true, 0, 0) => {
                        let (_, size) = dc_symbol(bits, &tables[dc]);
                        *prediction += bits.value(size);
                        block[0] = *prediction << scan.low;
                    }
                    (true, 0, _) => block[0] |= bits.bit() << scan.low,
                    (true, _, 0) => first_band(block, bits, &tables[ac], scan, &mut run),
                    (true, ..) => refined_band(block, bits, &tables[ac], scan, &mut run),
                }
            }
        }
    }
}

/// A DC symbol is all size.
fn dc_symbol(bits: &mut Bits, table: &Huffman) -> (usize, u32) {
    let (high, low) = bits.symbol(table);
    (0, (high as u32) << 4 | low)
}

/// F.2.2.
fn sequential(
    block: &mut [i32; 64],
    bits: &mut Bits,
    dc: &Huffman,
    ac: &Huffman,
    prediction: &mut i32,
) {
    let (_, size) = dc_symbol(bits, dc);
    *prediction += bits.value(size);
    block[0] = *prediction;
    let mut k = 1;
    while k < 64 {
        match bits.symbol(ac) {
            (15, 0) => k += 16,
            (_, 0) => return,
            (run, size) => {
                k += run;
                block[k] = bits.value(size);
                k += 1;
            }
        }
    }
}

/// G.1.2.2.
fn first_band(block: &mut [i32; 64], bits: &mut Bits, ac: &Huffman, scan: &Scan, run: &mut i32) {
    if *run > 0 {
        *run -= 1;
        return;
    }
    let mut k = scan.from;
    while k <= scan.to {
        match bits.symbol(ac) {
            (15, 0) => k += 16,
            (exponent, 0) => {
                *run = (1 << exponent) - 1 + bits.bits(exponent as u32);
                return;
            }
            (zeros, size) => {
                k += zeros;
                block[k] = bits.value(size) << scan.low;
                k += 1;
            }
        }
    }
}

/// G.1.2.3.
fn refined_band(block: &mut [i32; 64], bits: &mut Bits, ac: &Huffman, scan: &Scan, run: &mut i32) {
    let correct = |value: &mut i32, bits: &mut Bits| {
        if bits.bit() == 1 {
            *value += value.signum() << scan.low;
        }
    };
    let mut k = scan.from;
    while *run == 0 && k <= scan.to {
        let (mut zeros, size) = bits.symbol(ac);
        let mut value = 0;
        if size > 0 {
            value = if bits.bit() == 1 { 1 } else { -1 };
        } else if zeros < 15 {
            *run = (1 << zeros) + bits.bits(zeros as u32);
            break;
        }
        while block[k] != 0 || zeros > 0 {
            if block[k] != 0 {
                correct(&mut block[k], bits);
            } else {
                zeros -= 1;
            }
            k += 1;
        }
        block[k] = value << scan.low;
        k += 1;
    }
    if *run > 0 {
        for value in block[k..=scan.to].iter_mut().filter(|value| **value != 0) {
            correct(value, bits);
        }
        *run -= 1;
    }
}
