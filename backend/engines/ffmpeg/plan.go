package ffmpeg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/convilyn/convilyn-temporal/backend/engines"
)

// plan is how one file is converted, and what that loses.
type plan struct {
	args     []string
	warnings []string
}

func (p *plan) warn(format string, args ...any) {
	p.warnings = append(p.warnings, fmt.Sprintf(format, args...))
}

// target is how a format is written: the codecs that it takes as they are, and the options that encode the rest,
// for the presets standard and high.
type target struct {
	video, audio             []string
	encodeVideo, encodeAudio [2]string
}

const (
	even  = " -vf scale=trunc(iw/2)*2:trunc(ih/2)*2 -pix_fmt yuv420p" // the encoders take pairs of pixels
	x264  = "-c:v libx264 -preset veryfast -crf 23" + even
	x264h = "-c:v libx264 -preset medium -crf 18" + even
	vp9   = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -b:v 0 -crf 32" + even
	vp9h  = "-c:v libvpx-vp9 -deadline good -cpu-used 4 -row-mt 1 -b:v 0 -crf 24" + even
	mpeg4 = "-c:v mpeg4 -vtag xvid -q:v 4" + even
	mp4hi = "-c:v mpeg4 -vtag xvid -q:v 2" + even
)

var targets = map[string]target{
	"mp3":  {audio: []string{"mp3"}, encodeAudio: [2]string{"-c:a libmp3lame -b:a 192k", "-c:a libmp3lame -b:a 320k"}},
	"ogg":  {audio: []string{"vorbis", "opus"}, encodeAudio: [2]string{"-c:a libvorbis -q:a 5", "-c:a libvorbis -q:a 8"}},
	"m4a":  {audio: []string{"aac", "alac"}, encodeAudio: [2]string{"-c:a aac -b:a 192k", "-c:a aac -b:a 256k"}},
	"wav":  {audio: []string{"pcm_s16le", "pcm_s24le"}},
	"flac": {audio: []string{"flac"}, encodeAudio: [2]string{"-c:a flac", "-c:a flac"}},
	"mp4": {
		video: strings.Fields("h264 hevc av1 mpeg4"), audio: strings.Fields("aac mp3 alac ac3"),
		encodeVideo: [2]string{x264, x264h}, encodeAudio: [2]string{"-c:a aac -b:a 160k", "-c:a aac -b:a 256k"},
	},
	"mov": {
		video: strings.Fields("h264 hevc mpeg4 prores mjpeg"), audio: strings.Fields("aac mp3 alac ac3 pcm_s16le pcm_s24le"),
		encodeVideo: [2]string{x264, x264h}, encodeAudio: [2]string{"-c:a aac -b:a 160k", "-c:a aac -b:a 256k"},
	},
	"webm": {
		video: strings.Fields("vp8 vp9 av1"), audio: strings.Fields("opus vorbis"),
		encodeVideo: [2]string{vp9, vp9h}, encodeAudio: [2]string{"-c:a libopus -b:a 128k", "-c:a libopus -b:a 192k"},
	},
	"avi": {
		video: strings.Fields("mpeg4 mjpeg"), audio: strings.Fields("mp3 pcm_s16le"),
		encodeVideo: [2]string{mpeg4, mp4hi}, encodeAudio: [2]string{"-c:a libmp3lame -b:a 192k", "-c:a libmp3lame -b:a 320k"},
	},
	"mkv": {encodeVideo: [2]string{x264, x264h}},
}

// planFor decides stream by stream: what the target takes is copied, the rest is encoded again.
func planFor(in engines.Request, streams []stream) (plan, error) {
	video, hasVideo := first(streams, "video")
	audio, hasAudio := first(streams, "audio")
	if !hasVideo && !hasAudio {
		return plan{}, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "DAMAGED_MEDIA", Message: "the file has neither sound nor pictures that can be read; it is damaged"}
	}
	if in.Target == "gif" {
		return animation(hasVideo, hasAudio)
	}
	if in.Target == "mkv" && in.Source != "gif" {
		return plan{args: strings.Fields("-map 0 -map -0:d -c copy")}, nil
	}
	if slices.Contains(sounds, in.Target) {
		return sound(in, streams, audio, hasAudio)
	}
	var p plan
	preset := presetOf(in)
	if hasVideo {
		p.args = append(p.args, "-map", "0:V:0")
		p.stream("video", "v", video.codec, targets[in.Target].video, targets[in.Target].encodeVideo[preset])
	}
	if hasAudio {
		p.args = append(p.args, "-map", "0:a:0")
		p.stream("sound", "a", audio.codec, targets[in.Target].audio, targets[in.Target].encodeAudio[preset])
	}
	p.left(in, streams)
	if in.Target == "mp4" || in.Target == "mov" {
		p.args = append(p.args, "-movflags", "+faststart")
	}
	return p, nil
}

func presetOf(in engines.Request) int {
	if in.Preset == "high" {
		return 1
	}
	return 0
}

// stream copies what the target takes and encodes what it does not.
func (p *plan) stream(what, letter, codec string, takes []string, encode string) {
	if slices.Contains(takes, codec) {
		p.args = append(p.args, "-c:"+letter, "copy")
		return
	}
	p.args = append(p.args, strings.Fields(encode)...)
	p.warn("best_effort: the %s (%s) was encoded again, which loses fine detail", what, codec)
}

// left names the streams that are not carried over.
func (p *plan) left(in engines.Request, streams []stream) {
	count := map[string]int{}
	for _, s := range streams {
		if s.kind == "video" && s.cover {
			s.kind = "cover picture"
		}
		count[s.kind]++
	}
	if n := count["subtitle"]; n > 0 {
		p.warn("truncated: %d subtitle tracks were left out; mkv keeps them", n)
	}
	if n := count["cover picture"]; n > 0 {
		p.warn("truncated: the cover picture was left out")
	}
	if n := count["video"]; n > 0 && slices.Contains(sounds, in.Target) {
		p.warn("truncated: the pictures were left out; %s holds sound alone", in.Target)
	} else if n > 1 {
		p.warn("truncated: the file has %d video tracks; the first was converted", n)
	}
	if n := count["audio"]; n > 1 {
		p.warn("truncated: the file has %d sound tracks; the first was converted", n)
	}
}

func sound(in engines.Request, streams []stream, audio stream, has bool) (plan, error) {
	if !has {
		return plan{}, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NO_SOUND", Message: "the file has no sound"}
	}
	p := plan{args: []string{"-map", "0:a:0"}}
	floating := strings.HasPrefix(audio.format, "flt") || strings.HasPrefix(audio.format, "dbl")
	lossy := floating && !strings.HasPrefix(audio.codec, "pcm_") // decoders of lossy sound make floating samples
	switch {
	case in.Target == "wav" && slices.Contains([]string{"24", "32"}, audio.bits):
		p.args = append(p.args, "-c:a", "pcm_s24le")
	case in.Target == "wav":
		p.args = append(p.args, "-c:a", "pcm_s16le")
	case in.Target == "flac":
		p.args = append(p.args, "-c:a", "flac")
	default:
		p.stream("sound", "a", audio.codec, targets[in.Target].audio, targets[in.Target].encodeAudio[presetOf(in)])
	}
	if (in.Target == "wav" || in.Target == "flac") && (lossy || floating || audio.bits == "32") {
		p.warn("best_effort: the sound (%s) was rounded to whole samples", audio.codec)
	}
	p.left(in, streams)
	return p, nil
}

// animation is a GIF of 12 pictures a second, 480 pixels wide at most, in colours chosen for it.
func animation(hasVideo, hasAudio bool) (plan, error) {
	if !hasVideo {
		return plan{}, &engines.Error{Code: engines.CodeUnsupportedInput, Reason: "NO_PICTURES", Message: "the file has no pictures"}
	}
	p := plan{args: []string{
		"-filter_complex", "[0:V:0]fps=12,scale=w='min(480,iw)':h=-2:flags=lanczos,split[a][b];[a]palettegen[p];[b][p]paletteuse", "-an",
	}}
	p.warn("best_effort: the animation has 12 pictures a second, at most 480 pixels across, and 256 colours")
	if hasAudio {
		p.warn("truncated: a GIF has no sound")
	}
	return p, nil
}

var (
	sounds = strings.Fields("mp3 wav flac ogg m4a")
	videos = strings.Fields("mp4 webm mkv mov avi")
)

// stream is what the prober says of one.
type stream struct {
	kind, codec, format string
	bits                string
	cover               bool
}

func probe(said string) []stream {
	var out []stream
	for line := range strings.Lines(said) {
		fields := strings.Split(strings.TrimSpace(line), "|")
		if fields[0] != "stream" {
			continue
		}
		values := map[string]string{}
		for _, field := range fields[1:] {
			name, value, _ := strings.Cut(field, "=")
			values[name] = value
		}
		out = append(out, stream{
			kind: values["codec_type"], codec: values["codec_name"], format: values["sample_fmt"],
			bits: values["bits_per_raw_sample"], cover: values["disposition:attached_pic"] == "1",
		})
	}
	return out
}

// first is the first stream of a kind that is no cover picture.
func first(streams []stream, kind string) (stream, bool) {
	i := slices.IndexFunc(streams, func(s stream) bool { return s.kind == kind && !s.cover })
	if i < 0 {
		return stream{}, false
	}
	return streams[i], true
}
