package trellis

import (
	"encoding/json"
	"time"
)

// AuditRecord is one call of the API as the audit trail keeps it, whether it was served or refused. CloudTrail's events
// are made of it. Secrets have been removed from it.
type AuditRecord struct {
	ID        string    `json:"id"` // UUID of the event
	RequestID string    `json:"requestID"`
	SharedID  string    `json:"sharedID,omitempty"` // the same in the records of both accounts that one call is about
	Time      time.Time `json:"time"`               // when the request came
	// Account is whose trail it belongs to: the caller's account, or that of a role that somebody of another account, or
	// without one, took on. It is empty while nobody is known to have called.
	Account    string         `json:"account,omitempty"`
	Service    string         `json:"service,omitempty"` // signing name, for example vpc-lattice; empty when unknown
	APIVersion string         `json:"apiVersion,omitempty"`
	Operation  string         `json:"operation,omitempty"`
	ReadOnly   bool           `json:"readOnly"`
	Data       bool           `json:"data,omitempty"` // moves the data of a resource: CloudTrail's data events
	Principal  AuditPrincipal `json:"principal"`
	Region     string         `json:"region,omitempty"`
	SourceIP   string         `json:"sourceIP,omitempty"`
	UserAgent  string         `json:"userAgent,omitempty"`
	// ErrorCode is empty for what succeeded.
	ErrorCode    string          `json:"errorCode,omitempty"`
	ErrorMessage string          `json:"errorMessage,omitempty"`
	Resources    []AuditResource `json:"resources,omitempty"`
	Request      json.RawMessage `json:"request,omitempty"`  // the input; nil when it was not read
	Response     json.RawMessage `json:"response,omitempty"` // the output of what changes something
	Revision     Revision        `json:"revision,omitempty"` // of the store, that the operation committed at
}

// AuditPrincipal is who called, as far as an audit tells it.
type AuditPrincipal struct {
	Type           PrincipalType `json:"type"`
	Account        string        `json:"account,omitempty"`
	ARN            string        `json:"arn,omitempty"`
	UserID         string        `json:"userID,omitempty"`
	AccessKeyID    string        `json:"accessKeyID,omitempty"`
	SessionName    string        `json:"sessionName,omitempty"`
	IssuerARN      string        `json:"issuerARN,omitempty"`      // of a session: of the user or role that it was made of
	SessionAt      time.Time     `json:"sessionAt,omitzero"`       // when the session was made
	SourceIdentity string        `json:"sourceIdentity,omitempty"` // of a session
	Provider       string        `json:"provider,omitempty"`       // whose token was shown: ARN
}

// AuditResource is something that a call was about.
type AuditResource struct {
	Name string `json:"name"`           // an ARN where it is known, else an id or name
	Type string `json:"type,omitempty"` // what a name that is no ARN is the name of, in the API's words: Vpc, User
}
