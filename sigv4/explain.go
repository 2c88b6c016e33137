package sigv4

// CanonicalRequest is the text that the signature of a request is over (AWS Signature Version 4, create a canonical
// request), in AWS's own form, to be compared with the signer's. payloadHash is used when the request names no hash. It is
// empty for a request that has none, since its signed headers are not all there.
func (a *Authorization) CanonicalRequest(r *Request, doubleEncode bool, payloadHash string) string {
	if a.PayloadHash != "" {
		payloadHash = a.PayloadHash
	}
	if payloadHash == "" {
		payloadHash = EmptyPayloadHash
	}
	b, start, err := appendCanonical(nil, r, a, payloadHash, doubleEncode, form{})
	if err != nil {
		return ""
	}
	return string(b[start:])
}
