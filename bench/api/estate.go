package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/store"
)

// What the nouns of an estate belong to.
const (
	account   = "111122223333" // the management account, which exists from the first start
	vpcID     = "vpc-0aaaaaaaaaaaaaaaa"
	networkID = "sn-0bbbbbbbbbbbbbbbb"
	batch     = 100 // nouns in one transaction
)

// estate writes a store with so many services, each with a listener, a target group without health checks, and its share of
// the rules and targets; all are in one network that one VPC is associated with.
func estate(ctx context.Context, dir string, services, rules, targets int) (result, error) {
	began := time.Now()
	written := int64(0)
	err := store.Use(ctx, store.Options{Dir: dir, Timeout: time.Minute, Log: slog.New(slog.DiscardHandler)}, func(s *store.Store) error {
		var pending []trellis.Noun
		flush := func() error {
			_, err := s.Commit(ctx, func(tx *store.Tx) error {
				for _, n := range pending {
					tx.Put(n)
				}
				return nil
			})
			written += int64(len(pending))
			pending = pending[:0]
			return err
		}
		pending = append(pending, &trellis.VPC{Meta: meta(vpcID), CIDR: netip.MustParsePrefix("10.0.0.0/8")},
			&trellis.ServiceNetwork{Meta: meta(networkID), Name: "estate", AuthType: trellis.AuthNone},
			&trellis.VPCAssociation{Meta: meta("snva-0cccccccccccccccc"), VPC: ref(vpcID), ServiceNetwork: ref(networkID), Status: trellis.StatusActive, Slot: trellis.FirstSlot})
		for i := range services {
			pending = append(pending, nounsOf(i, rules/services, targets/services)...)
			if len(pending) >= batch {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		return flush()
	})
	return summary(written, time.Since(began).Seconds(), []time.Duration{time.Since(began)}), err
}

// nounsOf are the nouns of one service.
func nounsOf(i, rules, targets int) []trellis.Noun {
	hex := fmt.Sprintf("0%016x", i)
	service, listener, group := "svc-"+hex, "listener-"+hex, "tg-"+hex
	name := fmt.Sprintf("service-%06d", i)
	to := trellis.Action{Forward: []trellis.WeightedTargetGroup{{TargetGroupID: group, Weight: 100}}}
	nouns := []trellis.Noun{
		&trellis.Service{Meta: meta(service), Name: name, AuthType: trellis.AuthNone, Status: trellis.StatusActive},
		&trellis.ServiceAssociation{Meta: meta("snsa-" + hex), CreatedBy: account, Service: ref(service), ServiceNetwork: ref(networkID), Status: trellis.StatusActive},
		&trellis.Listener{Meta: meta(listener), ServiceID: service, Name: "http", Protocol: trellis.ProtocolHTTP, Port: 80, DefaultRuleID: "rule-" + hex, DefaultAction: to},
		&trellis.TargetGroup{Meta: meta(group), Name: name, Type: trellis.TargetsIP, Port: 8080, Protocol: trellis.ProtocolHTTP, ProtocolVersion: "HTTP1", VPCID: vpcID,
			IPAddressType: "IPV4", Status: trellis.StatusActive, HealthCheck: &trellis.HealthCheck{Protocol: trellis.ProtocolHTTP, ProtocolVersion: "HTTP1", Path: "/", IntervalSeconds: 30, TimeoutSeconds: 5, HealthyThreshold: 5, UnhealthyThreshold: 2, Matcher: "200"}},
	}
	for k := range rules {
		nouns = append(nouns, &trellis.Rule{Meta: meta(fmt.Sprintf("rule-%d%s", k+1, hex[1:])), ServiceID: service, ListenerID: listener, Name: fmt.Sprintf("rule-of-%d", k), Priority: k + 1,
			Match: trellis.HTTPMatch{Path: &trellis.PathMatch{Prefix: fmt.Sprintf("/part-%d/", k), CaseSensitive: true}}, Action: to})
	}
	for k := range targets {
		n := i*targets + k
		nouns = append(nouns, &trellis.Target{Account: account, TargetGroupID: group, ID: netip.AddrFrom4([4]byte{10, byte(1 + n>>16), byte(n >> 8), byte(n)}).String(), Port: 8080, RegisteredAt: epoch})
	}
	return nouns
}

// epoch is when all was made.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// meta is the Meta of a noun of the account.
func meta(id string) trellis.Meta {
	return trellis.Meta{Account: account, ID: id, CreatedAt: epoch, UpdatedAt: epoch}
}

// ref refers to a noun of the account.
func ref(id string) trellis.Ref { return trellis.Ref{Account: account, ID: id} }
