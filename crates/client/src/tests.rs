//! The client against a server that writes down what it hears.

mod listener;
mod parsing;
mod requests;
mod tokens;

/// A throwaway key. Both coordinates of its point begin with a zero byte, so a thumbprint that drops leading zeros does not pass.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIBpUs01R15sULxaPXe
Tn1QsekwDC+Fxjpy9pwnpOeXZrZ/qh1ZJQZAcymW20E3xOqrw2pCbliwlV8M5lPm
prR9NOehgYkDgYYABABq9ZSzkR0OPpOLT9LGlj3EuFTrNjW3dhOsJcYrDT93cb4E
xQ6l2JNT7uj4sSBJ7aUJDMLsIJC/PqSkM0idrOPxnQD1QSKXyST/E5Fa1lfKaWk6
T98iE2TMqZ1CnDWrAuruysCScGIEIRTc8ZMmF6dkpvbd1JNcl7jbe0QCHp/AbrIe
Qw==
-----END PRIVATE KEY-----
";
/// Its thumbprint, computed by the cryptography package of Python and by the official TypeScript SDK.
const KID: &str = "1flNgkg2z1n60c_E-Fa8r1lF7gG_sM-Yuz6N3yfTIVE";
