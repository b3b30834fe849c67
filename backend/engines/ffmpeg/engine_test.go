package ffmpeg_test

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/convilyn/convilyn-temporal/backend/engines"
	"github.com/convilyn/convilyn-temporal/backend/engines/ffmpeg"
	"github.com/convilyn/convilyn-temporal/internal/testkit"
)

const variable = "CONVILYN_TEST_FFMPEG"

// tone is a WAV of two seconds, mono, 16 bits: a real one, byte by byte.
func tone() []byte {
	const rate, seconds = 22050, 2
	samples := make([]byte, 0, 2*rate*seconds)
	for i := range rate * seconds {
		samples = binary.LittleEndian.AppendUint16(samples, uint16(int16(9000*math.Sin(2*math.Pi*440*float64(i)/rate))))
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(36+len(samples)))
	out = append(out, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	out = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out, rate), rate*2)
	out = append(out, "\x02\x00\x10\x00data"...)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(samples))), samples...)
}

// film is a real video of two seconds with sound and subtitles, made by the program itself.
func film(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "s.srt"), []byte("1\n00:00:00,000 --> 00:00:01,000\nÆrø\n"), 0o600))
	run(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=duration=2:size=161x120:rate=25", "-f", "lavfi", "-i", "sine=duration=2", "-i", filepath.Join(dir, "s.srt"),
		"-c:v", "libx264", "-pix_fmt", "yuv444p", "-preset", "ultrafast", "-c:a", "aac", "-c:s", "srt", filepath.Join(dir, "film.mkv"))
	data, err := os.ReadFile(filepath.Join(dir, "film.mkv"))
	require.NoError(t, err)
	return data
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// probed is the duration in seconds and the codecs of a file, as another program of FFmpeg reads it.
func probed(t *testing.T, data []byte) (float64, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	said := run(t, "ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path)
	seconds, err := strconv.ParseFloat(strings.TrimSpace(said), 64)
	require.NoError(t, err)
	codecs := run(t, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path)
	return seconds, strings.Join(strings.Fields(codecs), " ")
}

func TestSound(t *testing.T) {
	engine := testkit.Needed(t, ffmpeg.New(), variable)
	for target, codec := range map[string]string{"mp3": "mp3", "flac": "flac", "ogg": "vorbis", "m4a": "aac"} {
		t.Run(target, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, "wav", target, tone())
			require.NoError(t, err, target)
			seconds, codecs := probed(t, out.Data[0])
			assert.InDelta(t, 2, seconds, 0.1, target)
			assert.Equal(t, codec, codecs)
			assert.Equal(t, target == "flac", len(out.Warnings) == 0, "%s: %v", target, out.Warnings)
			back, err := testkit.Convert(t, engine, target, "wav", out.Data[0])
			require.NoError(t, err, target)
			seconds, _ = probed(t, back.Data[0])
			assert.InDelta(t, 2, seconds, 0.1, target)
			if target == "flac" {
				assert.Equal(t, tone()[44:], back.Data[0][len(back.Data[0])-len(tone())+44:], "every sample comes back")
			}
		})
	}
}

func TestVideo(t *testing.T) {
	engine := testkit.Needed(t, ffmpeg.New(), variable)
	source := film(t)
	for target, codecs := range map[string]string{"mp4": "h264 aac", "mov": "h264 aac", "webm": "vp9 opus", "avi": "mpeg4 mp3", "gif": "gif", "mp3": "mp3", "wav": "pcm_s16le"} {
		t.Run(target, func(t *testing.T) {
			if target != "mp4" && target != "gif" {
				testkit.SkipLong(t, "one film and one animation are made")
			}
			out, err := testkit.Convert(t, engine, "mkv", target, source)
			require.NoError(t, err, target)
			seconds, got := probed(t, out.Data[0])
			assert.InDelta(t, 2, seconds, 0.2, target)
			assert.Equal(t, codecs, got, target)
			said := strings.Join(out.Warnings, "\n")
			if target != "gif" {
				assert.Contains(t, said, "1 subtitle tracks were left out", target)
			}
			assert.Equal(t, target == "webm" || target == "avi", strings.Contains(said, "the video (h264) was encoded again"), "%s: %s", target, said)
		})
	}
	out, err := testkit.Convert(t, engine, "mkv", "gif", source)
	require.NoError(t, err)
	again, err := testkit.Convert(t, engine, "gif", "mp4", out.Data[0])
	require.NoError(t, err)
	seconds, codecs := probed(t, again.Data[0])
	assert.InDelta(t, 2, seconds, 0.2)
	assert.Equal(t, "h264", codecs)
	kept, err := testkit.Convert(t, engine, "mp4", "mkv", again.Data[0])
	require.NoError(t, err)
	assert.Empty(t, kept.Warnings, "copied whole")
}

// Playlists and lists that name other files are read as what they claim to be, and so not at all.
func TestHostileLists(t *testing.T) {
	engine := testkit.Needed(t, ffmpeg.New(), variable)
	secret := filepath.Join(t.TempDir(), "secret.wav")
	require.NoError(t, os.WriteFile(secret, tone(), 0o600))
	for name, content := range map[string]string{
		"playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://" + secret + "\n#EXT-X-ENDLIST\n",
		"list":     "ffconcat version 1.0\nfile '" + secret + "'\n",
		"subfile":  "#EXTM3U\n#EXTINF:2,\nsubfile,,start,0,end,9,,:" + secret + "\n#EXT-X-ENDLIST\n",
		"sdp":      "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=audio 9 RTP/AVP 0\n",
	} {
		t.Run(name, func(t *testing.T) {
			for source, magic := range map[string]string{
				"mp4": "\x00\x00\x00\x18ftypisom", "mkv": "\x1A\x45\xDF\xA3", "avi": "RIFF\x00\x00\x00\x00AVI ", "mp3": "ID3\x03\x00\x00\x00\x00\x00\x00", "ogg": "OggS", "wav": "",
			} {
				target := "flac"
				out, err := testkit.Convert(t, engine, source, target, []byte(magic+content))
				_, ok := engines.AsError(err)
				require.True(t, ok, "%s %s: %v", name, source, err)
				assert.Empty(t, out.Data)
				assert.NotContains(t, err.Error(), secret)
			}
		})
	}
}

func TestInputsThatAreNotWhatTheySay(t *testing.T) {
	engine := testkit.Needed(t, ffmpeg.New(), variable)
	source := film(t)
	for name, test := range map[string]struct {
		source, target string
		data           []byte
		code           string
	}{
		"sound called video":    {"mp4", "webm", tone(), engines.CodeUnsupportedInput},
		"random called mp3":     {"mp3", "wav", []byte{1, 2, 3, 4}, engines.CodeUnsupportedInput},
		"a head and no body":    {"mkv", "mp4", source[:64], engines.CodeUnsupportedInput},
		"pictures without any":  {"ogg", "mp3", []byte("OggS\x00\x02"), engines.CodeUnsupportedInput},
		"nothing":               {"wav", "mp3", nil, engines.CodeUnsupportedInput},
		"an mp4 without an end": {"mp4", "mkv", []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2\x00\x00\x10\x00mdat"), engines.CodeUnsupportedInput},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := testkit.Convert(t, engine, test.source, test.target, test.data)
			e, ok := engines.AsError(err)
			require.True(t, ok, "%s: %v", name, err)
			assert.Equal(t, test.code, e.Code, name)
			assert.Empty(t, out.Data)
		})
	}
	mp3, err := testkit.Convert(t, engine, "wav", "flac", tone())
	require.NoError(t, err)
	cut, err := testkit.Convert(t, engine, "flac", "wav", mp3.Data[0][:len(mp3.Data[0])*2/3])
	require.NoError(t, err)
	assert.Contains(t, strings.Join(cut.Warnings, "\n"), "truncated: parts of the file are damaged")
}
