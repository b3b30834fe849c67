package sealing

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// freshLine is a line of a key file.
func freshLine(id string) string {
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	return id + " " + base64.StdEncoding.EncodeToString(key)
}

func keysOf(t require.TestingT, lines ...string) *Keys {
	keys, err := parse([]byte(strings.Join(lines, "\n")))
	require.NoError(t, err)
	return keys
}

func anyPayload() *rapid.Generator[*common.Payload] {
	return rapid.Custom(func(t *rapid.T) *common.Payload {
		p := &common.Payload{Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data")}
		for name, value := range rapid.MapOf(rapid.String(), rapid.SliceOf(rapid.Byte())).Draw(t, "metadata") {
			if p.Metadata == nil {
				p.Metadata = map[string][]byte{}
			}
			p.Metadata[name] = value
		}
		return p
	}).Filter(func(p *common.Payload) bool {
		return !IsSealed(p) && proto.Unmarshal(must(proto.Marshal(p)), &common.Payload{}) == nil
	})
}

func must(data []byte, err error) []byte {
	if err != nil {
		return []byte{0xff} // which no payload begins with
	}
	return data
}

func TestWhatIsSealedOpensAndSaysNothing(t *testing.T) {
	old, fresh := freshLine("old"), freshLine("new")
	before, after := keysOf(t, old), keysOf(t, fresh, old)
	rapid.Check(t, func(t *rapid.T) {
		payloads := rapid.SliceOfN(anyPayload(), 0, 4).Draw(t, "payloads")
		kept := make([]*common.Payload, len(payloads))
		for i, p := range payloads {
			kept[i] = proto.CloneOf(p)
		}
		sealed, err := before.Encode(payloads)
		require.NoError(t, err)
		again, err := before.Encode(sealed)
		require.NoError(t, err)
		for i, p := range sealed {
			assert.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted"), "encryption-key-id": []byte("old")}, p.GetMetadata())
			assert.Len(t, p.GetData(), 12+proto.Size(payloads[i])+16)
			assert.True(t, proto.Equal(p, again[i]), "sealed once")
			assert.True(t, proto.Equal(kept[i], payloads[i]), "the caller's stays")
		}
		for _, keys := range []*Keys{before, after} {
			opened, err := keys.Decode(sealed)
			require.NoError(t, err)
			for i, p := range opened {
				assert.True(t, proto.Equal(payloads[i], p))
			}
		}
		passed, err := after.Decode(payloads)
		require.NoError(t, err)
		for i, p := range passed {
			assert.Same(t, payloads[i], p, "plain ones pass")
		}
		for _, p := range payloads {
			a, b := mustSeal(t, before, p), mustSeal(t, before, p)
			assert.NotEqual(t, a.GetData(), b.GetData(), "a nonce of its own")
			assert.Equal(t, "new", SealedWith(mustSeal(t, after, p)), "the first line seals")
		}
	})
}

func mustSeal(t require.TestingT, keys *Keys, p *common.Payload) *common.Payload {
	sealed, err := keys.Encode([]*common.Payload{p})
	require.NoError(t, err)
	return sealed[0]
}

func TestWhatWasChangedDoesNotOpen(t *testing.T) {
	keys := keysOf(t, freshLine("a"), freshLine("b"))
	same := keysOf(t, freshLine("a"))
	twin := strings.Fields(freshLine("x"))[1]
	named, renamed := keysOf(t, "a "+twin), keysOf(t, "b "+twin)
	rapid.Check(t, func(t *rapid.T) {
		p := anyPayload().Draw(t, "payload")
		sealed := mustSeal(t, keys, p)
		at := rapid.IntRange(0, len(sealed.GetData())-1).Draw(t, "at")
		changed := proto.CloneOf(sealed)
		changed.Data[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
		_, err := keys.Open(changed)
		require.ErrorIs(t, err, ErrTampered)
		cut := proto.CloneOf(sealed)
		cut.Data = cut.Data[:at]
		_, err = keys.Open(cut)
		require.ErrorIs(t, err, ErrTampered)
		_, err = same.Open(sealed)
		require.ErrorIs(t, err, ErrTampered, "another key of that name")
		moved := mustSeal(t, named, p)
		moved.Metadata[MetadataKeyID] = []byte("b")
		_, err = renamed.Open(moved)
		require.ErrorIs(t, err, ErrTampered, "the id is bound, even where the key is the same")
	})
}

func TestAMissingKeyIsNamed(t *testing.T) {
	sealed := mustSeal(t, keysOf(t, freshLine("gone")), &common.Payload{Data: []byte("x")})
	for _, none := range []*Keys{nil, {}} {
		_, err := none.Decode([]*common.Payload{sealed})
		require.EqualError(t, err, "it is sealed with key gone, and no keys are here; name the file that holds it: CONVILYN_ENCRYPTION_KEY_FILE, or --encryption-key-file")
		plain := []*common.Payload{{Data: []byte("x")}}
		same, err := none.Encode(plain)
		require.NoError(t, err)
		assert.Same(t, plain[0], same[0])
	}
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(freshLine("here")), 0o600))
	keys, err := Load(path)
	require.NoError(t, err)
	_, err = keys.Open(sealed)
	require.EqualError(t, err, "it is sealed with key gone, which is not in "+path+"; add its line there")
	sealed.Metadata[MetadataKeyID] = []byte("\x1b[2J\n" + strings.Repeat("y", 1000))
	_, err = keys.Open(sealed)
	assert.LessOrEqual(t, len(err.Error()), 200+len(path), "strangers name keys, too")
	assert.NotContains(t, err.Error(), "\x1b")
}

func TestAKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte("# of the autumn\n\n"+freshLine("2026-11")+"\r\n  "+freshLine("2026-10")+"\n"), 0o600))
	keys, err := Load(path)
	require.NoError(t, err)
	assert.Equal(t, "2026-11", keys.Sealer())
	assert.Equal(t, []string{"2026-10"}, keys.Others())
	assert.Equal(t, "(keys) (keys) (keys)", fmt.Sprintf("%v %+v %#v", keys, keys, keys))
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	good := freshLine("good")
	secret := strings.Fields(good)[1]
	for name, test := range map[string]struct{ content, says string }{
		"empty":        {"", "it holds no key; make one with"},
		"remarks only": {"# nothing\n\n", "it holds no key"},
		"no id":        {secret, "line 1: it is not of the form ID BASE64"},
		"three words":  {good + "\n" + good + " x", "line 2: it is not of the form ID BASE64"},
		"bad id":       {"a/b " + secret, "line 1: its id is not of 1 to 64"},
		"long id":      {strings.Repeat("a", 65) + " " + secret, "line 1: its id"},
		"twice":        {good + "\n#\n" + good, "line 3: key id good is there twice"},
		"not base64":   {"a !" + secret[1:], "line 1: the key of a is not base64"},
		"loose base64": {"a " + secret[:42] + "9=", "line 1: the key of a is not base64"},
		"short":        {"a " + base64.StdEncoding.EncodeToString(make([]byte, 31)), "line 1: the key of a has 31 bytes; 32 are needed"},
		"long":         {"a " + base64.StdEncoding.EncodeToString(make([]byte, 33)), "line 1: the key of a has 33 bytes; 32 are needed"},
		"too large":    {strings.Repeat("#\n", maxFile), "is larger than 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "keys")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			_, err := Load(path)
			require.ErrorContains(t, err, path, name)
			require.ErrorContains(t, err, test.says, name)
			assert.NotContains(t, err.Error(), secret[2:10], name)
			assert.NotContains(t, err.Error(), "\n", name)
		})
	}
	path := filepath.Join(t.TempDir(), "keys")
	_, err := Load(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Load(t.TempDir())
	require.ErrorContains(t, err, "is a folder")
	require.NoError(t, os.WriteFile(path, []byte(good), 0o600))
	for _, mode := range []os.FileMode{0o640, 0o604, 0o610} {
		require.NoError(t, os.Chmod(path, mode))
		_, err = Load(path)
		require.ErrorContains(t, err, "is open to others (mode 0"+fmt.Sprintf("%o", mode)+"); run: chmod 600 "+path)
	}
}

// In a workflow an error would end the run; the panic holds its task.
func TestAWorkflowWaitsForAMissingKey(t *testing.T) {
	payload, err := converter.GetDefaultDataConverter().ToPayload("x")
	require.NoError(t, err)
	sealed := mustSeal(t, keysOf(t, freshLine("gone")), payload)
	reader := keysOf(t, freshLine("here")).Converter()
	var text string
	var missing *MissingKeyError
	require.ErrorAs(t, reader.FromPayload(sealed, &text), &missing)
	require.ErrorAs(t, reader.FromPayloads(&common.Payloads{Payloads: []*common.Payload{sealed}}, &text), &missing)
	inside := reader.(converter.ContextAware).WithWorkflowContext(nil)
	assert.Panics(t, func() { _ = inside.FromPayload(sealed, &text) })
	assert.Panics(t, func() { _ = inside.FromPayloads(&common.Payloads{Payloads: []*common.Payload{sealed}}, &text) })
	require.NoError(t, inside.FromPayload(payload, &text))
	assert.Equal(t, "x", text)
	assert.Error(t, inside.FromPayload(payload, &struct{ A int }{}), "what is of another shape is the run's own matter")
}
