package http1

import "unsafe"

// ValidName tells whether s may be the name of a field (RFC 9110 5.1).
func ValidName(s string) bool { return s != "" && all(raw(s), isToken) }

// ValidValue tells whether s may be the value of a field: visible characters, spaces, tabs and bytes from 0x80 on.
func ValidValue(s string) bool { return validValue(raw(s)) }

// raw is a string's bytes, to be read only.
func raw(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// AdoptRequest makes h the head of a request that came in another version of HTTP. h was Reset; Fields, Host among
// them, and Kinds have been filled in with valid names and values. The rules are those of ParseRequest, but CONNECT is
// let pass and a target can't be in absolute-form. ended tells that no body follows.
func (h *Head) AdoptRequest(method, target string, ended bool) error {
	switch {
	case !ValidName(method) || misspelt(method):
		return ErrMethod
	case target == "" || target[0] != '/' && target != "*" || !all(raw(target), isTarget):
		return ErrTarget
	case len(method)+len(" ")+len(target)+len(" HTTP/1.1\r") > MaxLine:
		return ErrTargetTooLong
	}
	h.Method, h.Minor = method, 1
	if err := h.target(target); err != nil {
		return err
	}
	if err := h.frameRequest(); err != nil {
		return err
	}
	return h.adopted(ended, false)
}

// AdoptResponse is AdoptRequest for a response. toHead tells that the request was a HEAD.
func (h *Head) AdoptResponse(status int, toHead, ended bool) error {
	h.Status, h.Minor = status, 1
	if err := h.frameResponse(toHead); err != nil {
		return err
	}
	h.Close = false
	if status < 200 || status == 204 || status == 304 || toHead {
		return nil // it has no body, whatever its fields say
	}
	return h.adopted(ended, true)
}

// adopted frames the body of a message that may have one, and whose end is told by other means than its fields: Chunked
// stands for a length that isn't known. A response without a body says so to HTTP/1.1.
func (h *Head) adopted(ended, response bool) error {
	switch {
	case ended && h.Length > 0:
		return ErrLengthEnded
	case ended:
		h.Framing, h.Declared = NoBody, h.Declared || response
	case !h.Declared:
		h.Framing, h.Coded = Chunked, true
	}
	return nil
}
