package controlplane

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
	"github.com/trellis-project/trellis/companion/quota"
	"github.com/trellis-project/trellis/store"
)

// HealthCheckSettings is what a client says of a health check. Nil is what it does not say; 0 and empty mean
// the default (VPC Lattice user guide, target-group-health-checks).
type HealthCheckSettings struct {
	Enabled            *bool
	Protocol           *string
	ProtocolVersion    *string
	Port               *int
	Path               *string
	IntervalSeconds    *int
	TimeoutSeconds     *int
	HealthyThreshold   *int
	UnhealthyThreshold *int
	Matcher            *string
}

// TargetGroup is a target group with the services that use it.
type TargetGroup struct {
	*trellis.TargetGroup
	ServiceARNs []string // empty, not nil, when none does: Get and List show the list
}

// CreateTargetGroup makes a target group. g gives name, type, what its config says and tags; hc is nil when
// the config has no health check.
func (p *Plane) CreateTargetGroup(ctx context.Context, c *authpolicy.Caller, token string, g trellis.TargetGroup, hc *HealthCheckSettings) (*TargetGroup, trellis.Revision, error) {
	k := keys{}
	if g.VPCID != "" {
		k["vpc-lattice:vpcid"] = []string{g.VPCID}
	}
	err := authorize(c, "vpc-lattice:CreateTargetGroup", authpolicy.TagKeys(k, g.Tags, nil), trellis.LatticeARN(p.Region, account(c), "targetgroup/*"))
	if err != nil {
		return nil, 0, err
	}
	if err := validName("name", g.Name, "tg-", 3, 128); err != nil {
		return nil, 0, err
	}
	if err := completeTargetGroup(&g, hc); err != nil {
		return nil, 0, err
	}
	if err := p.validTags(g.Tags); err != nil {
		return nil, 0, err
	}
	have, err := count[*trellis.TargetGroup](ctx, p, account(c)+"/")
	if err != nil {
		return nil, 0, err
	}
	made := &TargetGroup{}
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		made.TargetGroup, err = store.Once(tx, account(c)+"/CreateTargetGroup", token, g, func() (*trellis.TargetGroup, error) {
			if err := roomFor[*trellis.TargetGroup](p, tx, account(c), quota.TargetGroups, account(c)+"/", have, "TARGET_GROUP"); err != nil {
				return nil, err
			}
			m := g
			m.Meta, m.Status = p.meta(c, "tg", g.Tags), trellis.StatusCreateInProgress
			if err := claim(tx, "targetgroupname/"+m.Account+"/"+m.Name, m.Key(), "TARGET_GROUP", "A target group with the name %s already exists.", m.Name); err != nil {
				return nil, err
			}
			if m.VPCID != "" {
				if _, err := get[*trellis.VPC](tx, trellis.Ref{Account: m.Account, ID: m.VPCID}, "VPC"); err != nil {
					return nil, err
				}
			}
			tx.Put(&m)
			return &m, nil
		})
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	made.Status = p.shown(made, made.Status)
	return made, rev, nil
}

// completeTargetGroup checks a new target group for its type and fills in the defaults.
func completeTargetGroup(g *trellis.TargetGroup, hc *HealthCheckSettings) error {
	unexpected := func(attribute string) error {
		return trellis.InvalidOther("Unexpected attribute %s for type %s", attribute, g.Type)
	}
	if !slices.Contains([]trellis.TargetGroupType{trellis.TargetsIP, trellis.TargetsInstance, trellis.TargetsLambda, trellis.TargetsALB}, g.Type) {
		return field("type", "type must be IP, INSTANCE, LAMBDA or ALB.")
	}
	if g.Type == trellis.TargetsLambda {
		for _, a := range []struct {
			name  string
			given bool
		}{{"port", g.Port != 0}, {"protocol", g.Protocol != ""}, {"protocolVersion", g.ProtocolVersion != ""}, {"vpcIdentifier", g.VPCID != ""},
			{"ipAddressType", g.IPAddressType != ""}, {"healthCheck", hc != nil}} {
			if a.given {
				return unexpected(a.name)
			}
		}
		if g.LambdaEvent != "" && g.LambdaEvent != "V1" && g.LambdaEvent != "V2" {
			return field("lambdaEventStructureVersion", "lambdaEventStructureVersion must be V1 or V2.")
		}
		return nil
	}
	switch {
	case g.LambdaEvent != "":
		return unexpected("lambdaEventStructureVersion")
	case g.IPAddressType != "" && g.Type != trellis.TargetsIP:
		return unexpected("ipAddressType")
	case hc != nil && g.Type == trellis.TargetsALB:
		return unexpected("healthCheck")
	case g.VPCID == "":
		return field("config.vpcIdentifier", "vpcIdentifier is required for type "+string(g.Type)+".")
	case g.Protocol == "" && g.Port == 443:
		g.Protocol = trellis.ProtocolHTTPS
	case g.Protocol == "":
		g.Protocol = trellis.ProtocolHTTP
	}
	if err := completeProtocol(g); err != nil {
		return err
	}
	if g.Type == trellis.TargetsIP && g.IPAddressType == "" {
		g.IPAddressType = "IPV4"
	}
	if g.IPAddressType != "" && g.IPAddressType != "IPV4" && g.IPAddressType != "IPV6" {
		return field("config.ipAddressType", "ipAddressType must be IPV4 or IPV6.")
	}
	if g.Type == trellis.TargetsALB {
		return nil
	}
	g.HealthCheck = &trellis.HealthCheck{}
	return applyHealthCheck(g, hc, true)
}

// completeProtocol checks protocol, version and port of a target group and fills in the defaults.
func completeProtocol(g *trellis.TargetGroup) error {
	switch g.Protocol {
	case trellis.ProtocolHTTP, trellis.ProtocolHTTPS:
		if g.ProtocolVersion == "" {
			g.ProtocolVersion = "HTTP1"
		}
		if !slices.Contains([]string{"HTTP1", "HTTP2", "GRPC"}, g.ProtocolVersion) {
			return field("config.protocolVersion", "protocolVersion must be HTTP1, HTTP2 or GRPC.")
		}
		if g.Port == 0 {
			g.Port = 80
			if g.Protocol == trellis.ProtocolHTTPS {
				g.Port = 443
			}
		}
	case trellis.ProtocolTCP:
		if g.ProtocolVersion != "" {
			return trellis.InvalidOther("Unexpected attribute protocolVersion for protocol TCP")
		}
		if g.Port == 0 {
			return field("config.port", "port is required for protocol TCP.")
		}
	default:
		return field("config.protocol", "protocol must be HTTP, HTTPS or TCP.")
	}
	if g.Port < 1 || g.Port > 65535 {
		return field("config.port", "port must be from 1 to 65535.")
	}
	return nil
}

// applyHealthCheck writes what s says into the health check of g. What s does not say stays, or, when fresh
// is set, is the default; 0 and empty reset to the default.
func applyHealthCheck(g *trellis.TargetGroup, s *HealthCheckSettings, fresh bool) error {
	if s == nil {
		s = &HealthCheckSettings{}
	}
	h := g.HealthCheck
	if s.Enabled != nil {
		h.Enabled = *s.Enabled
	} else if fresh {
		h.Enabled = g.ProtocolVersion == "HTTP1"
	}
	protocol := string(h.Protocol)
	setText(&protocol, s.Protocol, "HTTP", fresh)
	h.Protocol = trellis.Protocol(protocol)
	setText(&h.ProtocolVersion, s.ProtocolVersion, "HTTP1", fresh)
	setText(&h.Path, s.Path, "/", fresh)
	setText(&h.Matcher, s.Matcher, "200", fresh)
	setNumber(&h.Port, s.Port, 0, fresh)
	setNumber(&h.IntervalSeconds, s.IntervalSeconds, 30, fresh)
	setNumber(&h.TimeoutSeconds, s.TimeoutSeconds, 5, fresh)
	setNumber(&h.HealthyThreshold, s.HealthyThreshold, 5, fresh)
	setNumber(&h.UnhealthyThreshold, s.UnhealthyThreshold, 2, fresh)
	return validHealthCheck(h)
}

// setText sets a setting that was said, or that is fresh, with the default for empty.
func setText(to *string, said *string, byDefault string, fresh bool) {
	switch {
	case said != nil && *said != "":
		*to = *said
	case said != nil || fresh:
		*to = byDefault
	}
}

// setNumber is setText for numbers, with the default for 0.
func setNumber(to *int, said *int, byDefault int, fresh bool) {
	switch {
	case said != nil && *said != 0:
		*to = *said
	case said != nil || fresh:
		*to = byDefault
	}
}

// validHealthCheck checks a complete health check and names all bad fields.
func validHealthCheck(h *trellis.HealthCheck) error {
	var bad []trellis.FieldError
	check := func(ok bool, name, message string) {
		if !ok {
			bad = append(bad, trellis.FieldError{Name: "healthCheck." + name, Message: message})
		}
	}
	check(h.Protocol == trellis.ProtocolHTTP || h.Protocol == trellis.ProtocolHTTPS, "protocol", "The health check protocol must be HTTP or HTTPS.")
	check(h.ProtocolVersion == "HTTP1" || h.ProtocolVersion == "HTTP2", "protocolVersion", "The health check protocolVersion must be HTTP1 or HTTP2.")
	check(h.Port >= 0 && h.Port <= 65535, "port", "The health check port must be from 0 to 65535.")
	check(len(h.Path) <= 2048 && strings.HasPrefix(h.Path, "/") && !strings.ContainsFunc(h.Path, notPath), "path",
		"The health check path must begin with / and has at most 2048 of the characters a-zA-Z0-9@:%_+.~#?&/=-.")
	check(h.IntervalSeconds >= 5 && h.IntervalSeconds <= 300, "healthCheckIntervalSeconds", "healthCheckIntervalSeconds must be from 5 to 300.")
	check(h.TimeoutSeconds >= 1 && h.TimeoutSeconds <= 120, "healthCheckTimeoutSeconds", "healthCheckTimeoutSeconds must be from 1 to 120.")
	check(h.HealthyThreshold >= 2 && h.HealthyThreshold <= 10, "healthyThresholdCount", "healthyThresholdCount must be from 2 to 10.")
	check(h.UnhealthyThreshold >= 2 && h.UnhealthyThreshold <= 10, "unhealthyThresholdCount", "unhealthyThresholdCount must be from 2 to 10.")
	check(validMatcher(h.Matcher), "matcher.httpCode", "The matcher must be a list of codes and ranges from 200 to 499, for example 200,202 or 200-299.")
	if bad != nil {
		return trellis.Invalid(bad...)
	}
	return nil
}

// validMatcher tells whether a matcher is a list of codes and ranges within 200 to 499.
func validMatcher(m string) bool {
	if len(m) > 2000 {
		return false
	}
	code := func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && len(s) == 3 && n >= 200 && n <= 499
	}
	for part := range strings.SplitSeq(m, ",") {
		low, high, isRange := strings.Cut(part, "-")
		from, ok := code(low)
		to, ok2 := from, true
		if isRange {
			to, ok2 = code(high)
		}
		if !ok || !ok2 || from > to {
			return false
		}
	}
	return true
}

// withServices adds the services that use a target group, and the status to show.
func (p *Plane) withServices(tx *store.Tx, g *trellis.TargetGroup) (*TargetGroup, error) {
	users, err := tx.Marked(targetGroupUse(g.Key()))
	if err != nil {
		return nil, err
	}
	t := &TargetGroup{TargetGroup: g, ServiceARNs: []string{}}
	for _, u := range users {
		parts := strings.SplitN(u, "/", 3)
		arn := trellis.LatticeARN(p.Region, parts[0], "service/"+parts[1])
		if !slices.Contains(t.ServiceARNs, arn) {
			t.ServiceARNs = append(t.ServiceARNs, arn)
		}
	}
	g.Status = p.shown(g, g.Status)
	return t, nil
}

// GetTargetGroup returns a target group of the caller's.
func (p *Plane) GetTargetGroup(ctx context.Context, c *authpolicy.Caller, identifier string) (*TargetGroup, error) {
	var t *TargetGroup
	err := p.read(ctx, func(tx *store.Tx) error {
		g, err := own[*trellis.TargetGroup](p, tx, c, identifier, targetGroupKind, "vpc-lattice:GetTargetGroup", nil)
		if err == nil {
			t, err = p.withServices(tx, g)
		}
		return err
	})
	return t, err
}

// UpdateTargetGroup changes the health check: all that can change.
func (p *Plane) UpdateTargetGroup(ctx context.Context, c *authpolicy.Caller, identifier string, hc HealthCheckSettings) (*TargetGroup, trellis.Revision, error) {
	var t *TargetGroup
	rev, err := p.commit(ctx, func(tx *store.Tx) error {
		g, err := own[*trellis.TargetGroup](p, tx, c, identifier, targetGroupKind, "vpc-lattice:UpdateTargetGroup", nil)
		if err != nil {
			return err
		}
		if err := p.ready("TARGET_GROUP", g.ID, g.Status); err != nil {
			return err
		}
		if g.HealthCheck == nil {
			return trellis.InvalidOther("Unexpected attribute healthCheck for type %s", g.Type)
		}
		if err := applyHealthCheck(g, &hc, false); err != nil {
			return err
		}
		g.UpdatedAt = p.now()
		tx.Put(g)
		t, err = p.withServices(tx, g)
		return err
	})
	return t, rev, err
}

// DeleteTargetGroup begins to delete a target group that no listener or rule uses. Targets that are still
// registered do not hinder it: AWS names only the use.
func (p *Plane) DeleteTargetGroup(ctx context.Context, c *authpolicy.Caller, identifier string) (*trellis.TargetGroup, trellis.Revision, error) {
	var g *trellis.TargetGroup
	rev, err := p.commit(ctx, func(tx *store.Tx) (err error) {
		g, err = own[*trellis.TargetGroup](p, tx, c, identifier, targetGroupKind, "vpc-lattice:DeleteTargetGroup", nil)
		if err != nil || g.Status == trellis.StatusDeleteInProgress {
			return err
		}
		if g.Status == trellis.StatusCreateInProgress {
			return badStatus("TARGET_GROUP", g.ID, g.Status)
		}
		users, err := tx.Marked(targetGroupUse(g.Key()))
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return trellis.Conflict("TARGET_GROUP", g.ID, "Target group %s is in use by %d listeners and rules. Remove it from their actions first.", g.ID, len(users))
		}
		g.Status, g.UpdatedAt = trellis.StatusDeleteInProgress, p.now()
		tx.Put(g)
		return nil
	})
	return g, rev, err
}

// ListTargetGroups lists the caller's target groups, by id; vpc and kind filter when they are not empty.
func (p *Plane) ListTargetGroups(ctx context.Context, c *authpolicy.Caller, vpc string, kind trellis.TargetGroupType, pg Page) ([]*TargetGroup, string, error) {
	if err := authorize(c, "vpc-lattice:ListTargetGroups", nil, "*"); err != nil {
		return nil, "", err
	}
	var list []*TargetGroup
	var next string
	err := p.read(ctx, func(tx *store.Tx) error {
		all, err := store.List[*trellis.TargetGroup](tx, account(c)+"/")
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(g *trellis.TargetGroup) bool {
			return vpc != "" && g.VPCID != vpc || kind != "" && g.Type != kind
		})
		all, next = paginate(all, func(g *trellis.TargetGroup) string { return g.ID }, pg)
		list = list[:0]
		for _, g := range all {
			t, err := p.withServices(tx, g)
			if err != nil {
				return err
			}
			list = append(list, t)
		}
		return nil
	})
	return list, next, err
}

// nextTargetGroup moves a target group on.
func (p *Plane) nextTargetGroup(g *trellis.TargetGroup) *settling {
	key := g.Key()
	switch g.Status {
	case trellis.StatusCreateInProgress:
		return &settling{shown: g.Status, step: func(tx *store.Tx) (bool, error) {
			return activate(tx, key, trellis.StatusCreateInProgress, func(g *trellis.TargetGroup) *trellis.Status { return &g.Status })
		}}
	case trellis.StatusDeleteInProgress:
		return &settling{step: func(tx *store.Tx) (again bool, err error) {
			g, err := store.Get[*trellis.TargetGroup](tx, key)
			if err != nil || g.Status != trellis.StatusDeleteInProgress {
				return false, err
			}
			targets, next, err := store.Page[*trellis.Target](tx, key+"/", "", cascadeBatch)
			for _, t := range targets {
				dropTarget(tx, t)
			}
			if err != nil || next != "" {
				return true, err
			}
			tx.Release("targetgroupname/" + g.Account + "/" + g.Name)
			tx.Delete(g)
			return false, nil
		}}
	}
	return nil
}
