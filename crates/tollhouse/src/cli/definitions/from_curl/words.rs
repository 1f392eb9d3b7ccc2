//! Splits a pasted command into words, as a POSIX shell would, and remembers where each word began.
//!
//! What is understood: blanks, a backslash before a character or at the end of a line, `'…'`, `"…"`, `$'…'`, comments, and `$NAME` or `${NAME}`, which stays as it is written, since it is a placeholder. What a shell would have to run or to read is refused with its place: command substitution, `<`, `(`. What follows `|`, `;` or `>` is not part of the call and is left out.

use super::{Input, Mistake, Place};

/// Longest command that is read. The largest request of a payment service's documentation is a hundredth of it.
const COMMAND_BYTES_MAX: usize = 1024 * 1024;

/// One word of the command, quotes taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// What the program would be given.
    pub(super) text: String,
    /// Where it began.
    pub(super) at: Place,
}

/// A command, split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// In the order of the command.
    pub(super) words: Vec<Word>,
    /// The operator behind which everything was left out.
    pub(super) cut: Option<char>,
}

/// Splits the first command of a text.
pub(super) fn split(text: &str) -> Result<Words, Mistake> {
    if text.len() > COMMAND_BYTES_MAX {
        return Err(wrong(Place::START, format!("the command has more than {COMMAND_BYTES_MAX} bytes")));
    }
    let mut splitter = Splitter { rest: text, at: Place::START, found: Words::default(), word: None };
    splitter.run()?;
    Ok(splitter.found)
}

struct Splitter<'t> {
    rest: &'t str,
    at: Place,
    found: Words,
    /// The word that is being read; an empty one may have begun with a quote.
    word: Option<Word>,
}

// === impl Splitter ===

impl Splitter<'_> {
    fn run(&mut self) -> Result<(), Mistake> {
        loop {
            let at = self.at;
            let Some(character) = self.next() else { break };
            match character {
                '\n' => {
                    self.end_word();
                    if !self.found.words.is_empty() {
                        return self.nothing_follows();
                    }
                }
                ' ' | '\t' | '\r' => self.end_word(),
                '\\' => self.escaped(at),
                '\'' => self.single(at)?,
                '"' => self.double(at)?,
                '$' => self.dollar(at)?,
                '`' => return Err(substitution(at)),
                '#' if self.word.is_none() => self.skip_line(),
                '|' | ';' | '>' => {
                    self.end_word();
                    self.found.cut = Some(character);
                    return Ok(());
                }
                '&' => return Err(wrong(at, "`&` outside of quotes ends the command: put quotes around the address or the body")),
                '<' => return Err(wrong(at, "input from a file or from a text below (`<`) can not be read: put the body between quotes")),
                '(' | ')' => {
                    return Err(wrong(
                        at,
                        format!("`{character}` outside of quotes means something else to a shell: put quotes around it"),
                    ));
                }
                '“' | '”' | '„' | '‘' | '’' | '«' | '»' => {
                    return Err(wrong(at, format!("`{character}` is no quote of a shell, a word processor has put it there: use \" or '")));
                }
                _ => self.push(character, at),
            }
        }
        self.end_word();
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        self.at =
            if character == '\n' { Place { line: self.at.line + 1, column: 1 } } else { Place { column: self.at.column + 1, ..self.at } };
        Some(character)
    }

    fn push(&mut self, character: char, at: Place) {
        self.word(at).text.push(character);
    }

    /// The word that is being read, or a new one that began here.
    fn word(&mut self, at: Place) -> &mut Word {
        self.word.get_or_insert_with(|| Word { text: String::new(), at })
    }

    fn end_word(&mut self) {
        self.found.words.extend(self.word.take());
    }

    /// Whether a line ends here, blanks aside: pasted commands have them behind their backslashes.
    fn at_line_end(&self) -> bool {
        self.rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n')
    }

    fn skip_line(&mut self) {
        while !self.rest.is_empty() && !self.rest.starts_with('\n') {
            self.next();
        }
    }

    fn escaped(&mut self, at: Place) {
        if self.at_line_end() {
            self.skip_line();
            self.next();
        } else if let Some(character) = self.next() {
            self.push(character, at);
        }
    }

    fn single(&mut self, opening: Place) -> Result<(), Mistake> {
        self.word(opening);
        loop {
            match self.next() {
                None => return Err(unclosed(opening, '\'')),
                Some('\'') => return Ok(()),
                Some(character) => self.push(character, opening),
            }
        }
    }

    fn double(&mut self, opening: Place) -> Result<(), Mistake> {
        self.word(opening);
        loop {
            let at = self.at;
            match self.next() {
                None => return Err(unclosed(opening, '"')),
                Some('"') => return Ok(()),
                Some('`') => return Err(substitution(at)),
                Some('$') if self.rest.starts_with('(') => return Err(substitution(at)),
                Some('\\') => match self.rest.chars().next() {
                    Some('\n') => {
                        self.next();
                    }
                    Some(character @ ('"' | '\\' | '$' | '`')) => {
                        self.next();
                        self.push(character, opening);
                    }
                    Some(_) | None => self.push('\\', opening),
                },
                Some(character) => self.push(character, opening),
            }
        }
    }

    fn dollar(&mut self, at: Place) -> Result<(), Mistake> {
        match self.rest.chars().next() {
            Some('\'') => {
                self.next();
                self.ansi(at)
            }
            // `$"…"` is `"…"` in another language.
            Some('"') => {
                self.next();
                self.double(at)
            }
            Some('(') => Err(substitution(at)),
            Some(_) | None => {
                self.push('$', at);
                Ok(())
            }
        }
    }

    /// `$'…'`: the escapes of C.
    fn ansi(&mut self, opening: Place) -> Result<(), Mistake> {
        self.word(opening);
        loop {
            let at = self.at;
            match self.next() {
                None => return Err(unclosed(opening, '\'')),
                Some('\'') => return Ok(()),
                Some('\\') => {
                    let character = self.ansi_escape(opening, at)?;
                    self.push(character, opening);
                }
                Some(character) => self.push(character, opening),
            }
        }
    }

    fn ansi_escape(&mut self, opening: Place, at: Place) -> Result<char, Mistake> {
        Ok(match self.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some('e' | 'E') => '\u{1b}',
            Some('x') => self.number(at, 16, 2, "")?,
            Some('u') => self.number(at, 16, 4, "")?,
            Some('U') => self.number(at, 16, 8, "")?,
            Some(digit @ '0'..='7') => self.number(at, 8, 2, &digit.to_string())?,
            Some(character @ ('\\' | '\'' | '"' | '?')) => character,
            Some(other) => return Err(wrong(at, format!("`\\{other}` is no escape of $'…'"))),
            None => return Err(unclosed(opening, '\'')),
        })
    }

    /// The character of a number whose first digits are known already.
    fn number(&mut self, at: Place, radix: u32, digits_max: usize, first: &str) -> Result<char, Mistake> {
        let mut digits = first.to_owned();
        digits.extend(self.rest.chars().take(digits_max).take_while(|c| c.is_digit(radix)));
        for _ in first.len()..digits.len() {
            self.next();
        }
        let character = u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32);
        character.ok_or_else(|| wrong(at, "this escape of $'…' is no character"))
    }

    /// A second line that is no part of the command is a backslash that was lost more often than a second command.
    fn nothing_follows(&mut self) -> Result<(), Mistake> {
        loop {
            let at = self.at;
            match self.next() {
                None => return Ok(()),
                Some(' ' | '\t' | '\r' | '\n') => {}
                Some('#') => self.skip_line(),
                Some(_) if self.found.words.last().is_some_and(|word| word.text == "^") => {
                    return Err(wrong(at, "this command was written for cmd.exe, whose lines end in `^`: copy the one for bash"));
                }
                Some(_) => {
                    return Err(wrong(
                        at,
                        "the command has ended on a line before: a line that goes on ends in a backslash, and one command is read",
                    ));
                }
            }
        }
    }
}

fn wrong(at: Place, message: impl Into<String>) -> Mistake {
    Mistake { input: Input::Command, at, message: message.into() }
}

fn unclosed(opening: Place, quote: char) -> Mistake {
    wrong(opening, format!("the quote {quote} that begins here is never closed"))
}

fn substitution(at: Place) -> Mistake {
    wrong(at, "a command inside of the command is not run: write its result there, or a placeholder such as $API_KEY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let check = |text: &str, expected: &[&str]| {
            let found = split(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}"));
            let found: Vec<&str> = found.words.iter().map(|word| word.text.as_str()).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("", &[]);
        check(" \n\n", &[]);
        check("curl  https://a.example\t-s ", &["curl", "https://a.example", "-s"]);
        check("curl \\\n  -s \\\r\n -k", &["curl", "-s", "-k"]);
        check("curl \\  \n -s", &["curl", "-s"]);
        check(r"a\ b \'c\\", &["a b", "'c\\"]);
        check("'a \"b\" \\ $X' ''", &["a \"b\" \\ $X", ""]);
        check("'a\nb'\\''c'", &["a\nb'c"]);
        check(r#""a \"b\" \\ \$X \n 'c'""#, &[r#"a "b" \ $X \n 'c'"#]);
        check("\"a\\\nb\"", &["ab"]);
        check(r"$'a\'b\n\t\x41\u00e9\101\\'", &["a'b\n\tAéA\\"]);
        check("pre'fix'\"es\"$'\\x21'", &["prefixes!"]);
        check("-u $KEY: -H \"K: ${KEY}\"", &["-u", "$KEY:", "-H", "K: ${KEY}"]);
        check("$ curl # the call\n", &["$", "curl"]);
        check("# first\n\ncurl a#b # c\n# d\n\n", &["curl", "a#b"]);
        check("curl é", &["curl", "é"]);
    }

    #[test]
    fn what_follows_an_operator_is_left_out() {
        let check = |text: &str, operator: char, words: usize| {
            let found = split(text).unwrap();
            assert_eq!((found.words.len(), found.cut), (words, Some(operator)), "{text}");
        };
        check("curl a | jq .id", '|', 2);
        check("curl a|jq", '|', 2);
        check("curl a; echo \"", ';', 2);
        check("curl 'a|b' > out", '>', 2);
    }

    #[test]
    fn what_is_no_word_is_told_with_its_place() {
        let check = |text: &str, line: usize, column: usize, expected: &str| {
            let mistake = split(text).unwrap_err();
            assert_eq!(mistake.at, Place { line, column }, "{text}: {mistake:?}");
            assert!(mistake.message.contains(expected), "{text}: {mistake:?}");
        };
        check("curl 'a", 1, 6, "never closed");
        check("curl \\\n -d \"{\n}", 2, 5, "never closed");
        check("curl $'a\\", 1, 6, "never closed");
        check("curl $'\\q'", 1, 8, "no escape");
        check("curl $'\\uD800'", 1, 8, "no character");
        check("curl https://a.example/?a=1&b=2", 1, 28, "quotes around the address");
        check("curl -u $(cat key)", 1, 9, "is not run");
        check("curl -u \"$(cat key)\"", 1, 10, "is not run");
        check("curl `pwd`", 1, 6, "is not run");
        check("curl -d @- <<EOF", 1, 12, "between quotes");
        check("curl “a”", 1, 6, "word processor");
        check("curl (a)", 1, 6, "quotes around it");
        check("curl a\n  -H b", 2, 3, "ends in a backslash");
        check("curl a ^\n  -H b", 2, 3, "cmd.exe");
        check(&format!("curl {}", "a".repeat(COMMAND_BYTES_MAX)), 1, 1, "bytes");
    }
}
