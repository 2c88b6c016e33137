package trellis

import (
	"strconv"
	"time"
)

// TargetGroupType is what kind of targets a target group has.
type TargetGroupType string

// The types of target groups.
const (
	TargetsIP       TargetGroupType = "IP"
	TargetsInstance TargetGroupType = "INSTANCE"
	TargetsLambda   TargetGroupType = "LAMBDA"
	TargetsALB      TargetGroupType = "ALB"
)

// TargetGroup is the compute behind a service. Everything but the health check is fixed at creation.
type TargetGroup struct {
	Meta
	Name            string          `json:"name"` // 3 to 128 characters, unique in its account
	Type            TargetGroupType `json:"type"`
	Port            int             `json:"port,omitempty"`            // default for targets without one
	Protocol        Protocol        `json:"protocol,omitempty"`        // HTTP, HTTPS or TCP
	ProtocolVersion string          `json:"protocolVersion,omitempty"` // HTTP1, HTTP2 or GRPC
	VPCID           string          `json:"vpcId,omitempty"`           // of the same account
	IPAddressType   string          `json:"ipAddressType,omitempty"`   // of type IP: IPV4 or IPV6
	LambdaEvent     string          `json:"lambdaEvent,omitempty"`     // of type LAMBDA: V1 or V2
	HealthCheck     *HealthCheck    `json:"healthCheck,omitempty"`     // absent for LAMBDA and ALB
	Status          Status          `json:"status"`
	FailureCode     string          `json:"failureCode,omitempty"`
	FailureMessage  string          `json:"failureMessage,omitempty"`
}

// Kind is KindTargetGroup.
func (*TargetGroup) Kind() Kind { return KindTargetGroup }

// ARN is arn:aws:vpc-lattice:region:account:targetgroup/tg-….
func (g *TargetGroup) ARN(region string) string {
	return LatticeARN(region, g.Account, "targetgroup/"+g.ID)
}

// HealthCheck is how targets are probed, with AWS's defaults filled in
// (VPC Lattice user guide, target-group-health-checks).
type HealthCheck struct {
	Enabled            bool     `json:"enabled"`
	Protocol           Protocol `json:"protocol"`        // HTTP or HTTPS; certificates are not verified
	ProtocolVersion    string   `json:"protocolVersion"` // HTTP1 or HTTP2
	Port               int      `json:"port,omitempty"`  // 0: the target's own port
	Path               string   `json:"path"`
	IntervalSeconds    int      `json:"intervalSeconds"` // 5 to 300
	TimeoutSeconds     int      `json:"timeoutSeconds"`  // 1 to 120
	HealthyThreshold   int      `json:"healthyThreshold"`
	UnhealthyThreshold int      `json:"unhealthyThreshold"`
	Matcher            string   `json:"matcher"` // status codes, for example 200 or 200-299,404
}

// Target is one registered member of a target group.
type Target struct {
	Account       string    `json:"account"`
	TargetGroupID string    `json:"targetGroupId"`
	ID            string    `json:"id"`             // address, instance id or ARN
	Port          int       `json:"port,omitempty"` // never 0 for IP and INSTANCE
	RegisteredAt  time.Time `json:"registeredAt"`
	// DrainingSince is set by deregistration: no new connections, gone after one minute or when idle.
	DrainingSince *time.Time `json:"drainingSince,omitempty"`
}

// Kind is KindTarget.
func (*Target) Kind() Kind { return KindTarget }

// Key is account/target group/id:port.
func (t *Target) Key() string {
	return t.Account + "/" + t.TargetGroupID + "/" + t.ID + ":" + strconv.Itoa(t.Port)
}

// TargetStatus is what ListTargets shows.
type TargetStatus string

// The statuses of targets (VPC Lattice API, TargetSummary).
const (
	TargetInitial     TargetStatus = "INITIAL"
	TargetHealthy     TargetStatus = "HEALTHY"
	TargetUnhealthy   TargetStatus = "UNHEALTHY"
	TargetUnused      TargetStatus = "UNUSED"
	TargetDraining    TargetStatus = "DRAINING"
	TargetUnavailable TargetStatus = "UNAVAILABLE"
)

// TargetHealth is what a node last saw of a target. It is written when it changes, never for each probe.
type TargetHealth struct {
	TargetKey  string       `json:"targetKey"` // Target.Key
	Status     TargetStatus `json:"status"`
	ReasonCode string       `json:"reasonCode,omitempty"` // empty when HEALTHY
	At         time.Time    `json:"at"`
}

// Kind is KindTargetHealth.
func (*TargetHealth) Kind() Kind { return KindTargetHealth }

// Key is the target's Key.
func (h *TargetHealth) Key() string { return h.TargetKey }
