//! Small components that ask a compiler for a lot.

/// Variables of each function.
const LOCALS: usize = 2000;

/// A component of a few hundred kilobytes that a compiler would need gigabytes for: each of the `steps` of each of the
/// `functions` changes a variable and may be skipped, so that every variable has to be followed everywhere.
pub(crate) fn bomb(functions: usize, steps: usize) -> Vec<u8> {
    let mut body = counted(&[[number(LOCALS), vec![I64]].concat()]);
    for step in 0..steps {
        let (to, from) = (1 + step % LOCALS, 1 + step * 31 % LOCALS);
        // local.get 0, i32.wrap_i64, if
        body.extend([0x20, 0x00, 0xa7, 0x04, 0x40]);
        body.extend([vec![0x20], number(to), vec![0x20], number(from)].concat());
        // i64.add, local.set TO, end
        body.extend([vec![0x7c, 0x21], number(to), vec![0x0b]].concat());
    }
    // local.get 1, end
    body.extend([0x20, 0x01, 0x0b]);
    let function = [number(body.len()), body].concat();
    let module = [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, &counted(&[vec![0x60, 1, I64, 1, I64]])),
        section(3, &counted(&vec![vec![0]; functions])),
        section(10, &counted(&vec![function; functions])),
    ]
    .concat();
    // An instance of nothing under the name of the handler: there is something to compile for.
    let name = b"innkeeper:plugin/handler@0.1.0";
    let export = [vec![0], number(name.len()), name.to_vec(), vec![0x05, 0, 0]].concat();
    let handler = [section(5, &counted(&[vec![0x01, 0]])), section(11, &counted(&[export]))].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module), handler].concat()
}

const I64: u8 = 0x7e;

fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [vec![id], number(contents.len()), contents.to_vec()].concat()
}

fn counted(items: &[Vec<u8>]) -> Vec<u8> {
    [number(items.len()), items.concat()].concat()
}

/// A number in the form of LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
