"""A PJSIP phone in a process of its own: JSON commands on stdin, JSON events on stdout.

PJSIP keeps one library instance per process and may abort it, so each phone of a test is one
process. Started by `tests.support.pjsua.PjsuaPhone`; see there for the commands.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

import pjsua2 as pj

SUITES = {
    "AEAD_AES_256_GCM",
    "AEAD_AES_128_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
}


def emit(event: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class Account(pj.Account):  # type: ignore[misc]
    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent

    def onRegState(self, prm: Any) -> None:
        emit("registration", code=int(prm.code), expires=int(prm.expiration), reason=prm.reason)

    def onIncomingCall(self, prm: Any) -> None:
        call = Call(self.agent, self, prm.callId)
        self.agent.calls[prm.callId] = call
        info = call.getInfo()
        emit("incoming", call=prm.callId, remote=info.remoteUri, message=prm.rdata.wholeMsg)
        code = self.agent.answer_with
        if code:
            self.agent.answer(prm.callId, code)

    def onMwiInfo(self, prm: Any) -> None:
        emit("mwi", message=prm.rdata.wholeMsg)

    def onInstantMessage(self, prm: Any) -> None:
        emit("message", sender=prm.fromUri)


class Call(pj.Call):  # type: ignore[misc]
    def __init__(self, agent: Agent, account: Account, call_id: int = -1) -> None:
        super().__init__(account, call_id)
        self.agent = agent

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        emit(
            "state",
            call=info.id,
            state=info.stateText,
            code=int(info.lastStatusCode),
            reason=info.lastReason,
        )
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.agent.ended.append(info.id)

    def onCallMediaState(self, prm: Any) -> None:
        try:
            self._connect_media()
        except (pj.Error, LookupError, TypeError) as error:  # PJSIP would swallow it
            emit("error", info=repr(error))

    def _connect_media(self) -> None:
        info = self.getInfo()  # SWIG: what it contains lives as long as it does
        for index, medium in enumerate(info.media):
            if medium.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            emit("media", call=info.id, status=int(medium.status), direction=int(medium.dir))
            if medium.status in (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD):
                audio = self.getAudioMedia(index)
                self.agent.connect(info.id, audio)

    def onDtmfDigit(self, prm: Any) -> None:
        emit("digit", call=self.getInfo().id, digit=prm.digit)

    def onCallTransferStatus(self, prm: Any) -> None:
        emit("transfer", call=self.getInfo().id, code=int(prm.statusCode), final=prm.finalNotify)


class Agent:
    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.calls: dict[int, Call] = {}
        self.ended: list[int] = []
        self.recorders: dict[int, Any] = {}
        self.answer_with = int(options.get("answer_with", 0))
        self.is_deaf = False
        """It says what it is told to, and reads nothing of what it is told by others."""
        self.endpoint = pj.Endpoint()
        self.endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = "PJSUA2"
        config.logConfig.level = int(options.get("log_level", 0))
        config.logConfig.consoleLevel = int(options.get("log_level", 0))
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        self.endpoint.libInit(config)
        self.endpoint.audDevManager().setNullDev()
        self._transport()
        self.endpoint.libStart()
        self._codecs()
        self.tone = pj.ToneGenerator()
        self.tone.createToneGenerator(16000 if options.get("wideband") else 8000)
        self._play(float(options.get("tone_hz", 440.0)))
        self.account = Account(self)
        self.account.create(self._account())
        emit("started", address=self.endpoint.transportGetInfo(self.transport).localAddress)

    def _transport(self) -> None:
        config = pj.TransportConfig()
        config.port = 0
        config.boundAddress = self.options.get("bind", "")
        config.tlsConfig.CaListFile = self.options.get("ca_file", "")
        config.tlsConfig.verifyServer = bool(self.options.get("verify", True))
        config.tlsConfig.method = pj.PJSIP_TLSV1_2_METHOD
        if self.options.get("certificate"):
            config.tlsConfig.certFile = self.options["certificate"]
            config.tlsConfig.privKeyFile = self.options["key"]
        ipv6 = ":" in self.options.get("bind", "")
        kind = pj.PJSIP_TRANSPORT_TLS6 if ipv6 else pj.PJSIP_TRANSPORT_TLS
        self.transport = self.endpoint.transportCreate(kind, config)

    def _codecs(self) -> None:
        wanted = self.options.get("codecs")
        if wanted is None:
            return
        for codec in self.endpoint.codecEnum2():
            rank = next(
                (i for i, name in enumerate(wanted) if codec.codecId.startswith(name)), None
            )
            self.endpoint.codecSetPriority(codec.codecId, 0 if rank is None else 200 - rank)

    def _account(self) -> Any:
        options = self.options
        config = pj.AccountConfig()
        config.idUri = f"sip:{options['user']}@{options['domain']}"
        config.sipConfig.transportId = self.transport
        proxy = options.get("proxy", f"sip:{options['host']}:{options['port']};transport=tls")
        config.sipConfig.proxies.append(proxy + ";lr" if ";lr" not in proxy else proxy)
        config.regConfig.registrarUri = f"sip:{options['domain']};transport=tls"
        config.regConfig.registerOnAdd = bool(options.get("register", True))
        config.regConfig.timeoutSec = int(options.get("expires", 300))
        config.regConfig.retryIntervalSec = int(options.get("retry", 5))
        config.regConfig.firstRetryIntervalSec = int(options.get("first_retry", 1))
        config.regConfig.randomRetryIntervalSec = 0
        config.regConfig.proxyUse = 3
        config.sipConfig.authCreds.append(
            pj.AuthCredInfo("digest", "*", options["username"], 0, options["password"])
        )
        config.mwiConfig.enabled = bool(options.get("mwi", False))
        config.natConfig.iceEnabled = bool(options.get("ice", False))
        config.natConfig.iceMaxHostCands = 5
        config.natConfig.udpKaIntervalSec = 0
        config.natConfig.contactRewriteUse = int(options.get("contact_rewrite", 0))
        config.natConfig.viaRewriteUse = 0
        config.natConfig.sdpNatRewriteUse = 0
        config.natConfig.sipOutboundUse = int(options.get("outbound", 0))
        config.mediaConfig.srtpUse = (
            pj.PJMEDIA_SRTP_MANDATORY if options.get("srtp", True) else pj.PJMEDIA_SRTP_DISABLED
        )
        config.mediaConfig.srtpSecureSignaling = 1
        if options.get("bind"):
            config.mediaConfig.transportConfig.boundAddress = options["bind"]
            config.mediaConfig.transportConfig.publicAddress = options["bind"]
        if ":" in options.get("bind", ""):
            config.mediaConfig.ipv6Use = 1
        if options.get("suites"):
            for name in options["suites"]:
                crypto = pj.SrtpCrypto()
                crypto.name = name
                crypto.flags = 0
                config.mediaConfig.srtpOpt.cryptos.append(crypto)
        config.callConfig.timerUse = int(options.get("session_timer", pj.PJSUA_SIP_TIMER_OPTIONAL))
        config.callConfig.timerSessExpiresSec = int(options.get("session_expires", 1800))
        config.callConfig.timerMinSESec = 90
        config.callConfig.prackUse = int(options.get("prack", 0))
        return config

    def _play(self, hertz: float) -> None:
        self.tone.stop()
        tone = pj.ToneDesc()
        tone.freq1 = int(hertz)
        tone.freq2 = 0
        tone.on_msec = 1000
        tone.off_msec = 0
        tones = pj.ToneDescVector()
        tones.append(tone)
        self.tone.play(tones, True)

    def connect(self, call_id: int, audio: Any) -> None:
        self.tone.startTransmit(audio)
        folder = self.options.get("record_to")
        if folder:
            if call_id not in self.recorders:
                recorder = pj.AudioMediaRecorder()
                path = os.path.join(folder, f"{self.options['user']}-{os.getpid()}-{call_id}.wav")
                recorder.createRecorder(path)
                self.recorders[call_id] = recorder
                emit("recording", call=call_id, path=path)
            audio.startTransmit(self.recorders[call_id])

    def answer(self, call_id: int, code: int) -> None:
        prm = pj.CallOpParam()
        prm.statusCode = code
        self.calls[call_id].answer(prm)

    def run_command(self, command: dict[str, Any]) -> bool:
        name = command["do"]
        call = self.calls.get(command.get("call", -1))
        prm = pj.CallOpParam(True)
        if name == "call":
            new = Call(self, self.account)
            if command.get("late"):
                prm.opt.flag |= pj.PJSUA_CALL_NO_SDP_OFFER
            new.makeCall(command["uri"], prm)
            self.calls[new.getInfo().id] = new
            emit("calling", call=new.getInfo().id)
        elif name == "answer":
            self.answer(command["call"], command["code"])
        elif name == "auto":
            self.answer_with = command["code"]
        elif name == "hangup" and call:
            prm = pj.CallOpParam()
            prm.statusCode = command.get("code", 0)
            call.hangup(prm)
        elif name == "hold" and call:
            call.setHold(prm)
        elif name == "resume" and call:
            prm.opt.flag = pj.PJSUA_CALL_UNHOLD
            if command.get("late"):
                prm.opt.flag |= pj.PJSUA_CALL_NO_SDP_OFFER
            call.reinvite(prm)
        elif name == "update" and call:
            call.update(prm)
        elif name == "transfer" and call:
            call.xfer(command["uri"], prm)
        elif name == "replace" and call:
            call.xferReplaces(self.calls[command["with"]], prm)
        elif name == "digits" and call:
            call.dialDtmf(command["digits"])
        elif name == "tone":
            self._play(command["hertz"])
        elif name == "stop-recording":
            recorder = self.recorders.pop(command["call"], None)
            del recorder  # closes the file
            emit("recorded", call=command["call"])
        elif name == "stats" and call:
            emit("stats", call=command["call"], text=call.dump(True, ""))
        elif name in ("deaf", "listen"):
            self.is_deaf = name == "deaf"
            emit(name)
        elif name == "register":
            self.account.setRegistration(True)
        elif name == "unregister":
            self.account.setRegistration(False)
        elif name == "quit":
            return False
        return True

    def run(self) -> None:
        buffer = b""
        os.set_blocking(0, False)
        while True:
            if not self.is_deaf:
                self.endpoint.libHandleEvents(5)
            for call_id in self.ended:
                self.calls.pop(call_id, None)
                self.recorders.pop(call_id, None)
                emit("gone", call=call_id)
            self.ended.clear()
            if not select.select([0], [], [], 0.005 if self.is_deaf else 0)[0]:
                continue
            data = os.read(0, 65536)
            if not data:
                break
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                try:
                    if not self.run_command(json.loads(line)):
                        return
                except pj.Error as error:
                    emit("error", info=error.info())


def main() -> None:
    options = json.loads(sys.argv[1])
    agent = Agent(options)
    agent.run()
    pj.Endpoint.instance().hangupAllCalls()
    emit("stopped")
    # libDestroy with live Python callbacks can crash; the process ends here either way.
    os._exit(0)


main()
