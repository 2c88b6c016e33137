package dataplane

import (
	"strings"

	"github.com/trellis-project/trellis/authpolicy"
)

// redacted stands for a value that grants something to whoever has it, and so is shown to nobody.
const redacted = "[redacted]"

// redactQuery is a query without the values of parameters that are credentials.
func redactQuery(q string) string {
	parts := strings.Split(q, "&")
	for i, p := range parts {
		name, _, _ := strings.Cut(p, "=")
		if authpolicy.Secret(name) {
			parts[i] = name + "=" + redacted
		}
	}
	return strings.Join(parts, "&")
}

// redactQuoted is a sentence about a signature without what it quotes of the request, unless that is short enough for the
// name of a field or parameter: a signature that stands in a wrong place is longer.
func redactQuoted(s string) string {
	const longestName = 32
	parts := strings.Split(s, "'")
	for i := 1; i < len(parts)-1; i += 2 {
		if len(parts[i]) > longestName {
			parts[i] = redacted
		}
	}
	return strings.Join(parts, "'")
}
