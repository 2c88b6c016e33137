package dataplane

import (
	"slices"
	"strings"
)

// redacted stands for a value that grants something to whoever has it, and so is shown to nobody.
const redacted = "[redacted]"

// secretFields are the header fields whose values are credentials, in lower case. Applications may have others of their own;
// what a policy compares with is shown.
var secretFields = []string{"authorization", "cookie", "proxy-authorization", "set-cookie", "x-amz-security-token"}

// secretParameters are the parameters of a presigned URL that make it one.
var secretParameters = []string{"X-Amz-Security-Token", "X-Amz-Signature"}

// secretField tells whether a header field's value is a credential.
func secretField(name string) bool {
	return slices.ContainsFunc(secretFields, func(s string) bool { return strings.EqualFold(s, name) })
}

// redactQuery is a query without the values of parameters that are credentials.
func redactQuery(q string) string {
	if !strings.Contains(q, "X-Amz-") {
		return q
	}
	parts := strings.Split(q, "&")
	for i, p := range parts {
		name, _, _ := strings.Cut(p, "=")
		if slices.Contains(secretParameters, name) {
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
