"""Words that say nothing of what a question is about; written for this project.

They are indexed like all others, since a passage may be about them, and left out of questions that have other words.
"""

from __future__ import annotations

from typing import Final

_ENGLISH: Final = """
a an the and or but if of to in on at by for from with about as into than then that this these those it its he she they them his her their
we us our you your i me my is am are was were be been being do does did doing have has had having can could should would will shall may might must
not no so such there here what which who whom whose when where why how any some all each please tell let also just very too up out over under again
"""
_CHINESE: Final = """
的 了 是 在 有 和 与 及 或 而 但 就 都 也 很 不 没 没有 着 过 把 被 让 给 对 从 到 向 于 以 为 之 其 这 那 这个 那个 这些 那些 哪 哪个 哪些 哪里 什么 怎么 怎样 怎么样
怎么办 如何 为什么 为何 吗 呢 吧 啊 呀 嘛 我 你 您 他 她 它 我们 你们 他们 咱们 自己 一个 一些 一下 请 请问 问 想 要 会 能 能否 可以 可 能不能 可不可以 是否 是不是 有没有
多少 几 谁 何时 多久 需要 应该 应 还 还是 又 再 才 只 并 并且 因为 所以 如果 的话 时候 时 后 前 里 上 下 中 个 么 得 地 所 等 告诉 知道 帮 麻烦 关于
"""
STOP_WORDS: Final = frozenset((*_ENGLISH.split(), *_CHINESE.split()))
