package sigv4

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"
)

// unsignedNames are headers that intermediaries change, so that no signer signs them.
var unsignedNames = []string{"authorization", "connection", "expect", "proxy-authorization", "te", "trailer",
	"transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id"}

// Sign returns the header fields that sign a request: X-Amz-Date, X-Amz-Security-Token when there is a token,
// X-Amz-Content-Sha256 when payloadHash is not empty (else the payload is signed as an empty one), and
// Authorization. All fields of the request are signed but those that intermediaries change. The path is
// encoded once more than it is and not normalized, so it must be as it goes to the wire; for service "s3" it is taken as it is.
func Sign(r *Request, accessKeyID, secret, token, region, service, payloadHash string, at time.Time) []Field {
	stamp := at.UTC().Format(timeFormat)
	out := []Field{{"X-Amz-Date", stamp}}
	if token != "" {
		out = append(out, Field{"X-Amz-Security-Token", token})
	}
	if payloadHash != "" {
		out = append(out, Field{"X-Amz-Content-Sha256", payloadHash})
	} else {
		payloadHash = EmptyPayloadHash
	}
	signed := *r
	signed.Headers = slices.Concat(r.Headers, out)
	a := Authorization{SignedHeaders: signedHeaders(signed.Headers)}
	b, start, err := appendCanonical(nil, &signed, &a, payloadHash, service != "s3", form{})
	if err != nil {
		// Only a request without a host or with a name that is no token comes here. Its signature would be
		// refused anyway, so it goes unsigned.
		return out
	}
	sum := sha256.Sum256(b[start:])
	key := signingKey{date: stamp[:8], region: region, service: service}
	key.setKey(derive(secret, stamp[:8], region, service))
	_, sig := key.sign(nil, stamp, sum)
	return append(out, Field{"Authorization", Algorithm + " Credential=" + accessKeyID + "/" + stamp[:8] + "/" + region + "/" +
		service + "/" + terminator + ", SignedHeaders=" + a.SignedHeaders + ", Signature=" + string(sig[:])})
}

// signedHeaders is the list of the names to sign.
func signedHeaders(fields []Field) string {
	names := []string{"host"}
	for _, f := range fields {
		if n := strings.ToLower(f.Name); !slices.Contains(unsignedNames, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ";")
}
