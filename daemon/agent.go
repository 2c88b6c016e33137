package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"

	"github.com/trellis-project/trellis"
)

// Bounds of what the agent takes. What an instance asks beyond its rate is refused, as by the agent of EKS.
const (
	maxPodToken = 16 << 10 // bytes; those of Kubernetes have a thousand or two
	agentRate   = 100      // requests a second of an instance
	agentBurst  = 200
	maxLimited  = 4096 // instances whose rates are remembered
)

// agent is EKS Pod Identity's agent (eks-pod-identity-agent, README), which each VPC reaches at an address of its own: it
// gives pods credentials for the tokens of their service accounts. It is the one in all VPCs, and no process on a node, so
// that no node's role is asked: the token's cluster must belong to the account of the instance that asks.
type agent struct {
	d *Daemon

	mu     sync.Mutex
	limits map[string]*rate.Limiter // by instance
}

// newAgent returns an agent that nobody has asked yet.
func newAgent(d *Daemon) *agent { return &agent{d: d, limits: map[string]*rate.Limiter{}} }

// allow tells whether an instance may ask now.
func (a *agent) allow(instance string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.limits[instance]
	if l == nil {
		if len(a.limits) >= maxLimited {
			clear(a.limits)
		}
		l = rate.NewLimiter(agentRate, agentBurst)
		a.limits[instance] = l
	}
	return l.Allow()
}

// handler answers the instances of one VPC.
func (a *agent) handler(vpcID string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		instance, ok := instanceOf(a.d, vpcID, r)
		if !ok || r.URL.Path != "/v1/credentials" {
			http.NotFound(w, r)
			return
		}
		if !a.allow(instance) { // before anything is parsed
			http.Error(w, fmt.Sprintf("Too Many Requests. An instance may ask %d times a second.", agentRate), http.StatusTooManyRequests)
			return
		}
		token := r.Header.Get("Authorization")
		if text, status := checkPod(r.Host, token, time.Now()); status != 0 {
			http.Error(w, text, status)
			return
		}
		account, _, _ := strings.Cut(instance, "/")
		s, err := a.d.identity.AgentSession(r.Context(), account, token)
		if err != nil {
			a.refuse(w, instance, err)
			return
		}
		role, _ := trellis.ParseARN(s.AssumedRoleARN) // is one
		a.d.log.Debug("credentials for a pod", "instance", instance, "association", s.Association.Key(), "assumed_role", s.AssumedRoleARN)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(podCredentials{s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken, role.Account, s.Expiration.UTC().Format(time.RFC3339)})
	})
}

// podCredentials is the agent's answer (AWS SDKs reference guide, container credential provider).
type podCredentials struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string
	Token           string
	AccountID       string `json:"AccountId"`
	Expiration      string // RFC 3339
}

// checkPod is what the agent refuses by itself, in the words of that of EKS: a request by another name, which a page in a
// browser could send, and a token that EKS Auth would refuse anyhow. Status 0: nothing.
func checkPod(host, token string, now time.Time) (text string, status int) {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	to, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if at := []netip.Addr{trellis.AgentAddr4, trellis.AgentAddr6}; err != nil || !slices.Contains(at, to) {
		return fmt.Sprintf("Access Denied. Called agent through invalid address, please use either %s address not %s", at, name), http.StatusForbidden
	}
	if token == "" {
		return "Service account token cannot be empty", http.StatusBadRequest
	}
	if len(token) > maxPodToken {
		return fmt.Sprintf("Service account token cannot be parsed: it has more than %d bytes", maxPodToken), http.StatusBadRequest
	}
	claims := new(jwt.RegisteredClaims)
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		return fmt.Sprintf("Service account token cannot be parsed: %v", err), http.StatusBadRequest
	}
	if err := jwt.NewValidator(jwt.WithTimeFunc(func() time.Time { return now })).Validate(claims); err != nil {
		return fmt.Sprintf("Service account token failed basic claim validations: %v", err), http.StatusBadRequest
	}
	return "", 0
}

// refuse passes on what EKS Auth says, as its client writes it.
func (a *agent) refuse(w http.ResponseWriter, instance string, err error) {
	id, fault := trellis.NewUUID(), "client"
	e, known := errors.AsType[*trellis.Error](err)
	if !known {
		e = trellis.NewError(http.StatusInternalServerError, "InternalServerException", "Internal Server Error")
	}
	if e.Status >= 500 {
		fault = "server"
		a.d.log.Warn("no credentials for a pod", "instance", instance, "request_id", id, "error", err)
	} else {
		a.d.log.Info("no credentials for a pod", "instance", instance, "request_id", id, "code", e.Code)
	}
	http.Error(w, fmt.Sprintf("[%s]: (%s): %s, fault: %s", id, e.Code, e.Message, fault), e.Status)
}
