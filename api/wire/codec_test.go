package wire_test

import (
	"testing"

	"github.com/trellis-project/trellis/api/cloudtrail"
	"github.com/trellis-project/trellis/api/cloudwatch"
	"github.com/trellis-project/trellis/api/ec2"
	"github.com/trellis-project/trellis/api/iam"
	"github.com/trellis-project/trellis/api/logs"
	"github.com/trellis-project/trellis/api/organizations"
	"github.com/trellis-project/trellis/api/ram"
	"github.com/trellis-project/trellis/api/route53"
	"github.com/trellis-project/trellis/api/s3"
	"github.com/trellis-project/trellis/api/sts"
	"github.com/trellis-project/trellis/api/tagging"
	"github.com/trellis-project/trellis/api/vpclattice"
	"github.com/trellis-project/trellis/api/wire"
)

// models returns models of all protocols, those of one service for each that it is spoken to by.
func models() (all []*wire.Model) {
	for _, m := range []*wire.Model{cloudtrail.Model(), cloudwatch.Model(), ec2.Model(), iam.Model(), logs.Model(), organizations.Model(), ram.Model(), route53.Model(), s3.Model(), sts.Model(), tagging.Model(), vpclattice.Model()} {
		all = append(all, m.ByProtocol()...)
	}
	return all
}

// codec compiles a model.
func codec(t testing.TB, m *wire.Model) *wire.Codec {
	t.Helper()
	c, err := wire.NewCodec(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestModelsCompile compiles all of every model's types, names and patterns.
func TestModelsCompile(t *testing.T) {
	for _, m := range models() {
		codec(t, m)
	}
}
