package trellis

import "time"

// Handshake is an invitation of an account into an organization (Organizations API reference, Handshake).
type Handshake struct {
	ID          string            `json:"id"` // h-…
	OrgID       string            `json:"orgId"`
	Account     string            `json:"account"` // that is invited
	Email       string            `json:"email"`   // of that account
	ByEmail     bool              `json:"byEmail,omitempty"`
	Notes       string            `json:"notes,omitempty"`
	State       string            `json:"state"` // OPEN, CANCELED, ACCEPTED or DECLINED; EXPIRED shows from ExpiresAt on
	RequestedAt time.Time         `json:"requestedAt"`
	ExpiresAt   time.Time         `json:"expiresAt"`
	Tags        map[string]string `json:"tags,omitempty"` // that the account gets when it accepts
}

// Kind is KindHandshake.
func (*Handshake) Kind() Kind { return KindHandshake }

// Key is the id.
func (h *Handshake) Key() string { return h.ID }
