package trellis

import "time"

// Explanation is what was decided about one request on the data plane, and why, for those who own the service or the
// service network. It is what GET /trellis/explain answers (docs/decisions/0016-explaining-a-request.md).
type Explanation struct {
	RequestID string    `json:"requestId"`
	Time      time.Time `json:"time"` // when the request began
	Allowed   bool      `json:"allowed"`
	// AuthDeniedReason is the access log's: Network, Service or Identity; empty for a bad signature too.
	AuthDeniedReason  string `json:"authDeniedReason,omitempty"`
	Principal         string `json:"principal"`                 // an ARN, Anonymous, or Unknown for a bad signature
	PrincipalSource   string `json:"principalSource,omitempty"` // Signature, Network or Certificate
	Action            string `json:"action"`
	Resource          string `json:"resource,omitempty"` // with the request's path, of a denied request
	Method            string `json:"method,omitempty"`   // of a denied request
	SourceVPCID       string `json:"sourceVpcId"`
	SourceIPPort      string `json:"sourceIpPort"`
	ServiceARN        string `json:"serviceArn"`
	ServiceNetworkARN string `json:"serviceNetworkArn"`
	// Layers are what was asked, in the order of its weight. Of an allowed request only the statements that allowed.
	Layers []ExplainedLayer `json:"layers,omitempty"`
	// Signature says which check of the signature failed, when one did.
	Signature *ExplainedSignature `json:"signature,omitempty"`
	Note      string              `json:"note,omitempty"` // what is missing here, and why
}

// ExplainedLayer is what one policy of a layer says.
type ExplainedLayer struct {
	Layer     string              `json:"layer"`             // for example service-based
	Level     int                 `json:"level,omitempty"`   // of policies of organizations: 0 is the root
	Account   string              `json:"account,omitempty"` // that the policy belongs to
	Policy    string              `json:"policy,omitempty"`  // a name or ARN, where a layer has several policies
	Effect    string              `json:"effect"`            // allow, implicit deny or explicit deny
	Statement *ExplainedStatement `json:"statement,omitempty"`
	Misses    []ExplainedMiss     `json:"misses,omitempty"` // of an implicit deny: why statements did not allow, the nearest first
	Text      string              `json:"text"`             // all of it in words
}

// ExplainedStatement says where a statement stands.
type ExplainedStatement struct {
	Sid    string `json:"sid,omitempty"`
	Index  int    `json:"index"`  // in its policy, from 0
	Line   int    `json:"line"`   // in its policy's text, from 1
	Column int    `json:"column"` // from 1
}

// ExplainedMiss is why a statement does not speak of the request.
type ExplainedMiss struct {
	Statement ExplainedStatement `json:"statement"`
	Element   string             `json:"element"` // Action, Principal, Resource, their Not forms, or Condition
	// Of a condition: what was asked, and what the request has, nothing when the key is absent.
	Operator string   `json:"operator,omitempty"`
	Key      string   `json:"key,omitempty"`
	Wanted   string   `json:"wanted,omitempty"` // the values as the policy has them
	Seen     []string `json:"seen,omitempty"`
	Line     int      `json:"line"` // of the condition, or else of the statement
	Column   int      `json:"column"`
	Text     string   `json:"text"`
}

// ExplainedSignature is a signature that was refused. No secret is in it: values that grant something are replaced.
type ExplainedSignature struct {
	Code        string `json:"code"` // AWS's, for example InvalidSignatureException
	Message     string `json:"message"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	Scope       string `json:"credentialScope,omitempty"`
	Timestamp   string `json:"timestamp,omitempty"` // as it was signed
	// CanonicalRequest is the one that was computed here: the first line that differs from the signer's is what was
	// changed on the way, or signed otherwise.
	CanonicalRequest string `json:"canonicalRequest,omitempty"`
}
