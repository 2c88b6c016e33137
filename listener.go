package trellis

// Protocol is what a listener or target group speaks.
type Protocol string

// The protocols of listeners (HTTP, HTTPS, TLS_PASSTHROUGH) and target groups (HTTP, HTTPS, TCP).
const (
	ProtocolHTTP           Protocol = "HTTP"
	ProtocolHTTPS          Protocol = "HTTPS"
	ProtocolTLSPassthrough Protocol = "TLS_PASSTHROUGH"
	ProtocolTCP            Protocol = "TCP"
)

// Listener is a port and protocol of a service, with a default action for what no rule matches.
type Listener struct {
	Meta
	ServiceID     string   `json:"serviceId"`
	Name          string   `json:"name"` // 3 to 63 characters, unique in its service
	Protocol      Protocol `json:"protocol"`
	Port          int      `json:"port"` // unique in its service
	DefaultRuleID string   `json:"defaultRuleId"`
	DefaultAction Action   `json:"defaultAction"`
}

// Kind is KindListener.
func (*Listener) Kind() Kind { return KindListener }

// Key is account/service/listener.
func (l *Listener) Key() string { return l.Account + "/" + l.ServiceID + "/" + l.ID }

// ARN is …:service/svc-…/listener/listener-….
func (l *Listener) ARN(region string) string {
	return LatticeARN(region, l.Account, "service/"+l.ServiceID+"/listener/"+l.ID)
}

// Rule sends the requests that it matches to an action. The listener's default rule is not a Rule: it is
// the listener's DefaultAction under the id DefaultRuleID.
type Rule struct {
	Meta
	ServiceID  string    `json:"serviceId"`
	ListenerID string    `json:"listenerId"`
	Name       string    `json:"name"`     // 3 to 63 characters, unique in its listener
	Priority   int       `json:"priority"` // 1 to 2000, unique in its listener, lower wins
	Match      HTTPMatch `json:"match"`
	Action     Action    `json:"action"`
}

// Kind is KindRule.
func (*Rule) Kind() Kind { return KindRule }

// Key is account/service/listener/rule.
func (r *Rule) Key() string { return r.Account + "/" + r.ServiceID + "/" + r.ListenerID + "/" + r.ID }

// ARN is …:service/svc-…/listener/listener-…/rule/rule-….
func (r *Rule) ARN(region string) string {
	return LatticeARN(region, r.Account, "service/"+r.ServiceID+"/listener/"+r.ListenerID+"/rule/"+r.ID)
}

// HTTPMatch is the AND of its parts; a part that is absent matches everything.
type HTTPMatch struct {
	Method  string        `json:"method,omitempty"` // case-sensitive
	Path    *PathMatch    `json:"path,omitempty"`
	Headers []HeaderMatch `json:"headers,omitempty"` // at most 5
}

// PathMatch compares the raw path without its query. Exactly one of Exact and Prefix is set.
type PathMatch struct {
	Exact         string `json:"exact,omitempty"`
	Prefix        string `json:"prefix,omitempty"` // a prefix of the text, not of path elements
	CaseSensitive bool   `json:"caseSensitive"`    // AWS's default is true
}

// HeaderMatch compares one header. Exactly one of Exact, Prefix and Contains is set.
type HeaderMatch struct {
	Name          string `json:"name"` // never case-sensitive
	Exact         string `json:"exact,omitempty"`
	Prefix        string `json:"prefix,omitempty"`
	Contains      string `json:"contains,omitempty"`
	CaseSensitive bool   `json:"caseSensitive"` // of the value; AWS's default is false
}

// Action is what a rule does. Exactly one of Forward and FixedResponse is set (FixedResponse is not 0).
type Action struct {
	Forward       []WeightedTargetGroup `json:"forward,omitempty"`       // 1 to 10
	FixedResponse int                   `json:"fixedResponse,omitempty"` // status code: 404 or 500
}

// WeightedTargetGroup gets the share Weight / sum of weights. Weight is 0 to 999; 0 gets nothing.
type WeightedTargetGroup struct {
	TargetGroupID string `json:"targetGroupId"` // of the service's account
	Weight        int    `json:"weight"`
}
