package cloudtrail

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api"
)

// eventVersion is that of the form of event records (CloudTrail user guide, record contents).
const eventVersion = "1.11"

// sourceSuffix ends the name of every service as the source of events.
const sourceSuffix = ".amazonaws.com"

// record is an event record, the JSON of CloudTrailEvent, with its members in AWS's order (CloudTrail user guide, record
// contents).
type record struct {
	EventVersion       string          `json:"eventVersion"`
	UserIdentity       userIdentity    `json:"userIdentity"`
	EventTime          string          `json:"eventTime"`
	EventSource        string          `json:"eventSource"`
	EventName          string          `json:"eventName"`
	AWSRegion          string          `json:"awsRegion"`
	SourceIPAddress    string          `json:"sourceIPAddress"`
	UserAgent          string          `json:"userAgent"`
	ErrorCode          string          `json:"errorCode,omitempty"`
	ErrorMessage       string          `json:"errorMessage,omitempty"`
	RequestParameters  json.RawMessage `json:"requestParameters"` // null when there are none
	ResponseElements   json.RawMessage `json:"responseElements"`
	AdditionalData     map[string]any  `json:"additionalEventData,omitempty"`
	RequestID          string          `json:"requestID"`
	EventID            string          `json:"eventID"`
	ReadOnly           bool            `json:"readOnly"`
	Resources          []recordARN     `json:"resources,omitempty"`
	EventType          string          `json:"eventType"`
	APIVersion         string          `json:"apiVersion,omitempty"`
	ManagementEvent    bool            `json:"managementEvent"`
	RecipientAccountID string          `json:"recipientAccountId"`
	SharedEventID      string          `json:"sharedEventID,omitempty"`
	EventCategory      string          `json:"eventCategory"`
}

// recordARN is a resource of an event record.
type recordARN struct {
	ARN       string `json:"ARN"`
	AccountID string `json:"accountId,omitempty"`
	Type      string `json:"type,omitempty"`
}

// userIdentity is who called (CloudTrail user guide, userIdentity element).
type userIdentity struct {
	Type             string          `json:"type"`
	PrincipalID      string          `json:"principalId,omitempty"`
	ARN              string          `json:"arn,omitempty"`
	AccountID        string          `json:"accountId,omitempty"`
	AccessKeyID      string          `json:"accessKeyId,omitempty"`
	UserName         string          `json:"userName,omitempty"`
	SessionContext   *sessionContext `json:"sessionContext,omitempty"`
	InvokedBy        string          `json:"invokedBy,omitempty"`
	IdentityProvider string          `json:"identityProvider,omitempty"`
}

// sessionContext says of temporary credentials whose they are.
type sessionContext struct {
	SessionIssuer  *sessionIssuer    `json:"sessionIssuer,omitempty"`
	Attributes     map[string]string `json:"attributes"`
	SourceIdentity string            `json:"sourceIdentity,omitempty"`
}

// sessionIssuer is what a session was made of.
type sessionIssuer struct {
	Type        string `json:"type"`
	PrincipalID string `json:"principalId,omitempty"`
	ARN         string `json:"arn"`
	AccountID   string `json:"accountId"`
	UserName    string `json:"userName,omitempty"`
}

// eventRecord makes the event record of a call.
func eventRecord(r *trellis.AuditRecord) record {
	e := record{
		EventVersion: eventVersion, UserIdentity: identityOf(&r.Principal), EventTime: r.Time.UTC().Format(time.RFC3339),
		EventSource: eventSource(r), EventName: r.Operation, AWSRegion: r.Region, SourceIPAddress: r.SourceIP, UserAgent: r.UserAgent,
		ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage, RequestParameters: orNull(r.Request), ResponseElements: orNull(r.Response),
		RequestID: r.RequestID, EventID: r.ID, ReadOnly: r.ReadOnly, EventType: "AwsApiCall", APIVersion: r.APIVersion,
		ManagementEvent: !r.Data, RecipientAccountID: r.Account, SharedEventID: r.SharedID, EventCategory: "Management",
	}
	if r.Revision > 0 {
		e.AdditionalData = map[string]any{"trellisRevision": r.Revision}
	}
	for _, a := range r.Resources {
		if arn, err := trellis.ParseARN(a.Name); err == nil {
			e.Resources = append(e.Resources, recordARN{ARN: a.Name, AccountID: arn.Account, Type: api.Value(resourceOf(r, a).ResourceType)})
		}
	}
	return e
}

// orNull is a JSON text, null when there is none or it is empty.
func orNull(text json.RawMessage) json.RawMessage {
	if len(text) == 0 || string(text) == "{}" {
		return json.RawMessage("null")
	}
	return text
}

// identityOf is a principal as event records have it.
func identityOf(p *trellis.AuditPrincipal) userIdentity {
	u := userIdentity{PrincipalID: p.UserID, ARN: p.ARN, AccountID: p.Account, AccessKeyID: p.AccessKeyID}
	switch p.Type {
	case trellis.PrincipalUser:
		u.Type, u.UserName = "IAMUser", trellis.LastPart(p.ARN)
	case trellis.PrincipalAssumedRole:
		u.Type = "AssumedRole"
	case trellis.PrincipalAccount:
		u.Type = "Root"
	case trellis.PrincipalFederated:
		u.Type = "FederatedUser"
	case trellis.PrincipalService:
		u.Type, u.InvokedBy = "AWSService", p.SessionName
	case trellis.PrincipalWebIdentity:
		u.Type, u.UserName, u.IdentityProvider = "WebIdentityUser", p.SessionName, p.Provider
	case trellis.PrincipalAnonymous:
		u.Type, u.PrincipalID, u.AccountID = "AWSAccount", "", "ANONYMOUS_PRINCIPAL"
	default:
		u.Type = string(p.Type)
	}
	if !p.SessionAt.IsZero() {
		u.SessionContext = &sessionContext{SourceIdentity: p.SourceIdentity,
			Attributes: map[string]string{"creationDate": p.SessionAt.UTC().Format(time.RFC3339), "mfaAuthenticated": "false"}}
		if p.Type == trellis.PrincipalAssumedRole {
			id, _, _ := strings.Cut(p.UserID, ":")
			u.SessionContext.SessionIssuer = &sessionIssuer{Type: "Role", PrincipalID: id, ARN: p.IssuerARN, AccountID: p.Account, UserName: trellis.LastPart(p.IssuerARN)}
		}
	}
	return u
}

// username is the name that events are looked up by: of a user, of a session, or root.
func username(p *trellis.AuditPrincipal) string {
	switch {
	case p.SessionName != "":
		return p.SessionName
	case p.Type == trellis.PrincipalAccount:
		return "root"
	case p.Type == trellis.PrincipalUser:
		return trellis.LastPart(p.ARN)
	}
	return ""
}

// eventSource is the service of a call, for example vpc-lattice.amazonaws.com.
func eventSource(r *trellis.AuditRecord) string { return r.Service + sourceSuffix }

// typeNames are the parts of the names of resource types of CloudFormation, which CloudTrail uses, that are not the
// words of ARNs and members with a capital letter.
var typeNames = map[string]string{
	"acm": "CertificateManager", "ec2": "EC2", "eks": "EKS", "elasticloadbalancing": "ElasticLoadBalancingV2", "firehose": "KinesisFirehose",
	"iam": "IAM", "kms": "KMS", "monitoring": "CloudWatch", "ram": "RAM", "rolesanywhere": "RolesAnywhere", "route53": "Route53", "s3": "S3",
	"ssm": "SSM", "sts": "STS", "vpc-lattice": "VpcLattice",
	"deliverystream": "DeliveryStream", "hostedzone": "HostedZone", "loadbalancer": "LoadBalancer", "resourceconfiguration": "ResourceConfiguration",
	"resourcegateway": "ResourceGateway", "securitygroup": "SecurityGroup", "servicenetwork": "ServiceNetwork", "targetgroup": "TargetGroup",
	"accesslogsubscription": "AccessLogSubscription", "servicenetworkserviceassociation": "ServiceNetworkServiceAssociation",
	"servicenetworkvpcassociation": "ServiceNetworkVpcAssociation", "vpc": "VPC",
}

// resourceOf is a resource of a record as LookupEvents shows it: its type of the words of its ARN, or else of the
// member that named it.
func resourceOf(r *trellis.AuditRecord, a trellis.AuditResource) Resource {
	out := Resource{ResourceName: new(a.Name)}
	service, word := r.Service, a.Type
	if arn, err := trellis.ParseARN(a.Name); err == nil {
		service = arn.Service
		if word, _, _ = strings.Cut(arn.Resource, "/"); strings.Contains(word, ":") {
			word, _, _ = strings.Cut(word, ":")
		}
		if word == "service" && strings.Contains(arn.Resource, "/listener/") {
			word = "listener"
			if strings.Contains(arn.Resource, "/rule/") {
				word = "rule"
			}
		}
	}
	if word != "" {
		out.ResourceType = new("AWS::" + typeName(service) + "::" + typeName(word))
	}
	return out
}

// typeName is a word of an ARN or member as it stands in a resource type.
func typeName(word string) string {
	lower := strings.ToLower(word)
	if n, ok := typeNames[lower]; ok {
		return n
	}
	var b strings.Builder
	for part := range strings.SplitSeq(word, "-") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}
