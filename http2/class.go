package http2

import "github.com/trellis-project/trellis/http1"

// role says what a field is in HTTP/2, for those that have a rule of their own there.
type role uint8

// The roles.
const (
	regular role = iota
	method
	scheme
	authority
	path
	protocol
	status
	unknownPseudo
	perConnection // about one connection of HTTP/1.1, which no field of HTTP/2 is (RFC 9113 8.2.2)
	te
	cookie
	host
)

// class is what a field's name says, and whether the field is fit to be one.
type class struct {
	kind     http1.Kind
	role     role
	badName  bool // RFC 9113 8.2.1
	badValue bool
	secret   bool // never to be put into a table, here and on the way on (RFC 7541 7.1.3)
}

// pseudo tells whether the field is about the message as a whole (RFC 9113 8.3).
func (c *class) pseudo() bool { return c.role >= method && c.role <= unknownPseudo }

// classOf finds the class of a name. The value is not looked at.
func classOf(name string) class {
	if name == "" {
		return class{badName: true}
	}
	if name[0] == ':' {
		return class{role: pseudoOf(name)}
	}
	c := class{badName: !http1.ValidName(name) || hasUpper(name), kind: http1.KindOf(name)}
	switch c.kind {
	case http1.Host:
		c.role = host
	case http1.Connection, http1.TransferEncoding:
		c.role = perConnection
	case http1.HopByHop:
		switch name {
		case "te":
			c.role = te
		case "keep-alive", "proxy-connection", "upgrade":
			c.role = perConnection
		}
	case http1.Other:
		if name == "cookie" {
			c.role = cookie
		}
	}
	return c
}

// pseudoOf finds the role of a name that begins with a colon.
func pseudoOf(name string) role {
	switch name {
	case ":method":
		return method
	case ":scheme":
		return scheme
	case ":authority":
		return authority
	case ":path":
		return path
	case ":protocol":
		return protocol
	case ":status":
		return status
	}
	return unknownPseudo
}

// hasUpper tells whether a name has an upper-case letter.
func hasUpper(s string) bool {
	for i := range len(s) {
		if s[i]-'A' < 26 {
			return true
		}
	}
	return false
}

// fitValue tells whether a value may stand in a field: http1's characters, which leave out those that RFC 9113 8.2.1
// forbids, and no white space around them.
func fitValue(v string) bool {
	if v == "" {
		return true
	}
	if first, last := v[0], v[len(v)-1]; first == ' ' || first == '\t' || last == ' ' || last == '\t' {
		return false
	}
	return http1.ValidValue(v)
}
