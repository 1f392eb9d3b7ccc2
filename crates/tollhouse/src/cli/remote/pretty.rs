//! JSON on several lines, with the members in their order and the numbers in their spelling.

/// Spaces of one level.
const INDENT: usize = 2;

/// Lays out a JSON text. What is not JSON comes out in some other layout, never shorter by anything but white space.
pub(crate) fn indent(json: &str) -> String {
    let mut out = String::with_capacity(json.len().saturating_mul(2));
    let mut depth = 0_usize;
    let mut characters = json.chars().filter(|c| !c.is_control()).peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                out.push('"');
                while let Some(c) = characters.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(characters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                while characters.next_if(|c| *c == ' ').is_some() {}
                out.push(c);
                // An empty object or list stays on its line.
                match characters.next_if(|c| matches!(c, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth = depth.saturating_add(1);
                        new_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(',');
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            ' ' => {}
            _ => out.push(c),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', depth.saturating_mul(INDENT)));
}
