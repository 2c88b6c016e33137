package http2

import (
	"strings"

	"github.com/trellis-project/trellis/http1"
)

// The reasons to refuse a head, besides those of http1. RFC 9113 names the section in brackets.
var (
	ErrPseudoMissing  = &http1.Error{Status: 400, Reason: "pseudo-header missing"}                     // [8.3.1, 8.3.2]
	ErrPseudoRepeated = &http1.Error{Status: 400, Reason: "pseudo-header repeated"}                    // [8.3]
	ErrPseudoLate     = &http1.Error{Status: 400, Reason: "pseudo-header after a field"}               // [8.3]
	ErrPseudoUnknown  = &http1.Error{Status: 400, Reason: "pseudo-header that the message can't have"} // [8.3]
	ErrScheme         = &http1.Error{Status: 400, Reason: "bad scheme"}                                // [8.3.1]
	ErrSchemeUnserved = &http1.Error{Status: 400, Reason: "a scheme that is neither http nor https"}   // [8.3.1]
	ErrProtocol       = &http1.Error{Status: 400, Reason: "bad protocol"}                              // RFC 8441 4
	ErrAuthority      = &http1.Error{Status: 400, Reason: "Host differs from the authority"}           // [8.3.1]
	ErrPerConnection  = &http1.Error{Status: 400, Reason: "field about a connection of HTTP/1.1"}      // [8.2.2]
	ErrTE             = &http1.Error{Status: 400, Reason: "TE that asks for more than trailers"}       // [8.2.2]
	ErrInterimEnds    = &http1.Error{Status: 502, Reason: "interim answer that ends its stream"}       // [8.1]
	ErrStatus         = &http1.Error{Status: 502, Reason: "bad status"}                                // [8.3.2]
)

// wellFormed tells whether a head that is refused follows RFC 9113 all the same: then its stream goes on and can be
// answered like any other.
func wellFormed(err error) bool {
	switch err {
	case http1.ErrHeadTooLarge, http1.ErrTooManyFields, http1.ErrFieldTooLong, http1.ErrTargetTooLong, http1.ErrConnect,
		http1.ErrExpect, http1.ErrMaxForwards, http1.ErrLastHop, http1.ErrConfusable, ErrSchemeUnserved:
		return true
	}
	return false
}

// pseudos are the pseudo-headers of a head, by role.
type pseudos struct {
	has   uint16
	value [unknownPseudo]string
}

// of tells whether there are these pseudo-headers and no others.
func (p *pseudos) of(roles ...role) bool {
	var want uint16
	for _, r := range roles {
		want |= 1 << r
	}
	return p.has == want
}

// read reads the pseudo-headers at the start of a list. It returns how many there are.
func (p *pseudos) read(l *list) (int, error) {
	for i := range l.fields {
		f := &l.fields[i]
		switch {
		case !f.pseudo():
			return i, nil
		case f.role == unknownPseudo:
			return 0, ErrPseudoUnknown
		case p.has&(1<<f.role) != 0:
			return 0, ErrPseudoRepeated
		}
		p.has |= 1 << f.role
		p.value[f.role] = f.value
	}
	return len(l.fields), nil
}

// adoptRequest makes h the head of the request that l has (RFC 9113 8.3.1). ended tells that no body follows, connects
// that extended CONNECT is served: then upgrade is the protocol that is asked for with it (RFC 8441 4). The strings of h
// are those of l.
func adoptRequest(h *http1.Head, l *list, ended, connects bool) (upgrade string, err error) {
	h.Reset()
	if l.over {
		return "", http1.ErrHeadTooLarge
	}
	var p pseudos
	n, err := p.read(l)
	if err != nil {
		return "", err
	}
	if p.has&(1<<authority) != 0 {
		if !http1.ValidHost(p.value[authority]) {
			return "", http1.ErrHost
		}
		h.Fields = append(h.Fields, http1.Field{Name: "host", Value: p.value[authority]})
		h.Kinds = append(h.Kinds, http1.Host)
	}
	if err := adoptFields(h, l, n, p.value[authority]); err != nil {
		return "", err
	}
	switch {
	case p.has&(1<<status) != 0:
		return "", ErrPseudoUnknown
	case p.has&(1<<protocol) != 0:
		switch {
		case !connects || p.value[method] != "CONNECT":
			return "", ErrPseudoUnknown
		case !p.of(method, scheme, authority, path, protocol):
			return "", ErrPseudoMissing
		case !http1.ValidName(p.value[protocol]):
			return "", ErrProtocol
		}
	case p.value[method] == "CONNECT":
		if !p.of(method, authority) {
			return "", ErrPseudoUnknown
		}
		return "", http1.ErrConnect
	case !p.of(method, scheme, path) && !p.of(method, scheme, path, authority):
		return "", ErrPseudoMissing
	}
	if s := p.value[scheme]; s != "http" && s != "https" {
		if !validScheme(s) {
			return "", ErrScheme
		}
		return "", ErrSchemeUnserved
	}
	return p.value[protocol], h.AdoptRequest(p.value[method], p.value[path], ended)
}

// adoptResponse makes h the head of the answer that l has (RFC 9113 8.3.2). toHead tells that the request was a HEAD.
func adoptResponse(h *http1.Head, l *list, toHead, ended bool) error {
	h.Reset()
	if l.over {
		return http1.ErrHeadTooLarge
	}
	var p pseudos
	n, err := p.read(l)
	switch s := p.value[status]; {
	case err != nil:
		return err
	case p.has&(1<<status) == 0:
		return ErrPseudoMissing
	case !p.of(status):
		return ErrPseudoUnknown
	case len(s) != 3 || s[0]-'1' > 4 || s[1]-'0' > 9 || s[2]-'0' > 9:
		return ErrStatus
	default:
		code := int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
		if err := adoptFields(h, l, n, ""); err != nil {
			return err
		}
		if code < 200 && ended {
			return ErrInterimEnds
		}
		return h.AdoptResponse(code, toHead, ended)
	}
}

// adoptFields adds the fields of l, from its nth on, to h. Host, when it agrees with an authority that there is, is
// left out; cookies become one (RFC 9113 8.2.3).
func adoptFields(h *http1.Head, l *list, n int, authority string) error {
	hosts, cookies, at, mark := 0, 0, 0, 0
	for i := n; i < len(l.fields); i++ {
		f := &l.fields[i]
		switch {
		case f.pseudo():
			return ErrPseudoLate
		case f.badName:
			return http1.ErrFieldName
		case f.badValue:
			return http1.ErrFieldValue
		}
		switch f.role {
		case perConnection:
			return ErrPerConnection
		case te:
			if !strings.EqualFold(f.value, "trailers") {
				return ErrTE
			}
		case host:
			if hosts++; hosts > 1 {
				return http1.ErrHost
			}
			if authority != "" {
				if !strings.EqualFold(f.value, authority) {
					return ErrAuthority
				}
				continue
			}
		case cookie:
			if f.value == "" {
				continue
			}
			if cookies++; cookies == 1 {
				at = len(h.Fields)
				break
			}
			if cookies == 2 {
				mark = len(l.arena)
				l.arena = append(l.arena, h.Fields[at].Value...)
			}
			l.arena = append(append(l.arena, "; "...), f.value...)
			if f.secret {
				h.Secret[at/64] |= 1 << (at % 64)
			}
			if len(l.arena)-mark > http1.MaxLine-len("cookie: \r") {
				return http1.ErrFieldTooLong
			}
			continue
		}
		switch {
		case len(h.Fields) == http1.MaxFields:
			return http1.ErrTooManyFields
		case len(f.name)+len(": ")+len(f.value)+len("\r") > http1.MaxLine:
			return http1.ErrFieldTooLong
		}
		if f.secret {
			h.Secret[len(h.Fields)/64] |= 1 << (len(h.Fields) % 64)
		}
		h.Fields = append(h.Fields, http1.Field{Name: f.name, Value: f.value})
		h.Kinds = append(h.Kinds, f.kind)
	}
	if cookies > 1 {
		h.Fields[at].Value = view(l.arena[mark:])
	}
	return nil
}

// adoptTrailers adds the trailers of l to dst. Those that say what only a head may say are left out, as http1.Body does
// (RFC 9110 6.5.1). It fails when one of them may not stand in a message at all (RFC 9113 8.1, 8.2).
func adoptTrailers(dst []http1.Field, l *list) ([]http1.Field, *Error) {
	if l.over || len(l.fields) > http1.MaxFields {
		return dst, errTrailersLarge
	}
	for i := range l.fields {
		f := &l.fields[i]
		if f.pseudo() || f.badName || f.badValue || f.role == perConnection {
			return dst, errTrailers
		}
		if f.kind == http1.Other && f.role != cookie {
			dst = append(dst, http1.Field{Name: f.name, Value: f.value})
		}
	}
	return dst, nil
}

// validScheme tells whether s is the scheme of a URI (RFC 3986 3.1).
func validScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}
