//! The `cgi` contract: RFC 3875 variables, the body on stdin, a header block and a body on stdout.
//! Numbers the lines of what it is sent, as they come.
use std::io::{self, BufRead, Write};

fn main() -> io::Result<()> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let mut out = io::stdout().lock();
    if variable("REQUEST_METHOD") != "POST" {
        write!(out, "Status: 405 Method Not Allowed\r\nAllow: POST\r\nContent-Type: text/plain\r\n\r\n")?;
        return writeln!(out, "send lines by POST");
    }
    write!(out, "Content-Type: text/plain; charset=utf-8\r\nX-Query: {}\r\n\r\n", variable("QUERY_STRING"))?;
    for (index, line) in io::stdin().lock().lines().enumerate() {
        writeln!(out, "{}: {}", index + 1, line?)?;
        out.flush()?;
    }
    Ok(())
}
