// Package certificate reads, issues and hands out TLS certificates: what a client imports as PEM (Parse), what the
// authority of this installation issues (Authority), and the key pairs of all certificates as the data plane asks
// for them in a handshake (Keys). It also judges the certificates of clients: whether a chain leads to a trust anchor
// and nothing of it is revoked (Anchor), and what they say of their owner (Attributes).
//
// It keeps nothing and knows no clock but the one that it is handed. Control keeps what it makes as
// trellis.Certificate; the daemon makes Keys of each state that has other certificates.
package certificate
