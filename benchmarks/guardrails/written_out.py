"""Tables of the disguises that no rule makes: written by hand for the terms of the shipped lists, and for nothing else."""

from __future__ import annotations

_PAIRS = (
    "买買 卖賣 药藥 枪槍 弹彈 杀殺 妈媽 钱錢 贷貸 骗騙 证證 办辦 诈詐 赌賭 网網 码碼 军軍 护護 约約 乱亂 伦倫 强強 奸姦 视視 频頻 电電 "
    "资資 处處 无無 线線 听聽 话話 制製 炸炸 购購 联聯 单單 雇僱 凶兇 尸屍 怎怎 样樣 么麼 让讓 圣聖 战戰 训訓 练練 营營 恐恐 袭襲 击擊 "
    "发發 动動 组組 织織 种種 灭滅 绝絕 亲親 头頭 级級 号號 妇婦 换換 驾駕 学學 历歷 试試 题題 议議 论論 盗盜 监監 窃竊 拟擬 贩販 运運 "
    "银銀 账賬 户戶 开開 彩彩 马馬 龙龍 凤鳳 楼樓 务務 门門 热熱 体體 条條 虚虛 伪偽 币幣 刷刷 轰轟 转轉 团團 队隊 连連 罗羅 鸡雞 儿兒 "
    "猪豬 狗狗 鬼鬼 国國 华華 员員 广廣 纳納 万萬 岁歲 图圖 书書 爱愛 欢歡 乐樂 岛島 东東 车車 报報 复復 毁毀 伤傷 脏髒 烧燒 炼煉 铜銅 "
    "导導 极極 灵靈 应應 现現 实實 见見 观觀 贵貴 贱賤 废廢 残殘 脑腦 娇嬌 姜薑 长長 关關 气氣 汤湯 机機 间間 时時 会會 计計 划劃 "
    "压壓 缩縮 语語 诱誘 惑惑 谁誰 请請 谋謀 赔賠 赛賽 针針 锁鎖 锤錘 键鍵 镜鏡 飞飛 饵餌 驱驅 鸦鴉 黄黃 齐齊 犊犢 兽獸 偷偷 "
    "烟煙 叶葉 录錄 标標 个個 谈談 讨討 软軟 层層 毕畢 业業 纪紀 记記 离離 结結 产產 孕孕 绑綁 阳陽 阴陰 吗嗎 坛壇 汉漢 满滿 滥濫"
)
TRADITIONAL = {pair[0]: pair[1] for pair in _PAIRS.split() if pair[0] != pair[1]}

PINYIN = {
    "傻逼": "sha bi", "操你妈": "cao ni ma", "草你妈": "cao ni ma", "王八蛋": "wang ba dan", "狗娘养的": "gou niang yang de",
    "马勒戈壁": "ma le ge bi", "滚你妈的": "gun ni ma de", "臭婊子": "chou biao zi", "死全家": "si quan jia",
    "出售冰毒": "chu shou bing du", "冰毒出售": "bing du chu shou", "出售海洛因": "chu shou hai luo yin", "毒品出售": "du pin chu shou",
    "迷药购买": "mi yao gou mai", "迷奸药": "mi jian yao", "催情水": "cui qing shui", "听话水": "ting hua shui", "约炮": "yue pao",
    "裸聊直播": "luo liao zhi bo", "色情直播": "se qing zhi bo", "援交妹": "yuan jiao mei", "出售枪支": "chu shou qiang zhi",
    "枪支出售": "qiang zhi chu shou", "炸药配方": "zha yao pei fang", "出售炸药": "chu shou zha yao", "雇凶杀人价格": "gu xiong sha ren jia ge",
    "真人荷官": "zhen ren he guan", "真人百家乐": "zhen ren bai jia le", "六合彩特码": "liu he cai te ma", "太阳城赌场": "tai yang cheng du chang",
    "假币出售": "jia bi chu shou", "银行卡四件套": "yin hang ka si jian tao", "代开增值税发票": "dai kai zeng zhi shui fa piao",
    "杀猪盘教程": "sha zhu pan jiao cheng", "办假证": "ban jia zheng", "假身份证办理": "jia shen fen zheng ban li", "卖卵子": "mai luan zi",
    "自杀教程": "zi sha jiao cheng", "相约自杀": "xiang yue zi sha", "圣战教程": "sheng zhan jiao cheng", "萝莉资源": "luo li zi yuan",
    "恋童资源": "lian tong zi yuan", "死黑鬼": "si hei gui", "支那猪": "zhi na zhu",
}  # fmt: skip

HOMOPHONES = {
    "傻逼": "煞壁", "操你妈": "曹尼玛", "草你妈": "草拟马", "王八蛋": "网吧蛋", "狗娘养的": "苟娘养得", "马勒戈壁": "玛乐戈必", "滚你妈的": "滚尼玛得",
    "臭婊子": "臭表子", "死全家": "司泉家", "出售冰毒": "出手兵独", "冰毒出售": "兵独出手", "出售海洛因": "出手嗨落音", "毒品出售": "独品出手",
    "迷药购买": "谜要够买", "迷奸药": "谜尖药", "催情水": "崔晴水", "听话水": "厅画水", "约炮": "月泡", "裸聊直播": "罗撩直播", "色情直播": "涩情值播",
    "援交妹": "圆娇妹", "出售枪支": "出手呛只", "枪支出售": "呛只出手", "炸药配方": "榨要配方", "出售炸药": "出手榨要", "真人荷官": "真人河官",
    "真人百家乐": "真人佰佳乐", "六合彩特码": "溜盒彩特马", "太阳城赌场": "太阳程堵场", "假币出售": "价币出手", "银行卡四件套": "银行咔四件淘",
    "代开增值税发票": "代开增值税法票", "杀猪盘教程": "纱朱盘教程", "办假证": "伴嫁正", "假身份证办理": "嫁身份正办理", "卖卵子": "迈卵子",
    "自杀教程": "紫砂教程", "相约自杀": "相约紫砂", "圣战教程": "胜站教程", "萝莉资源": "罗丽资源", "恋童资源": "练铜资源", "死黑鬼": "四嘿鬼", "支那猪": "脂那朱",
}  # fmt: skip

_PARTS = (
    "枪木仓 炸火乍 弹弓单 妈女马 骗马扁 洗氵先 钱钅戋 假亻叚 证讠正 狗犭句 婊女表 鸡又鸟 性忄生 奴女又 妓女支 嫖女票 娼女昌 援扌爰 银钅艮 "
    "海氵每 粉米分 烟火因 群君羊 约纟勺 炮火包 裸衤果 聊耳卯 情忄青 视礻见 强弓虽 奸女干 赌贝者 彩采彡 码石马 杀乂木 药艹约 毒龶母 品口吕 "
    "网冂乂乂 诈讠乍 盗次皿 贩贝反 淫氵壬 荡艹汤 操扌喿 你亻尔 迷米辶 脱月兑 播扌番 猪犭者 鬼由厶 伦亻仑 换扌奂 购贝勾 售隹口 批扌比 "
    "种禾中 配酉己 特牜寺 税禾兑 好女子 如女口 明日月 林木木 河氵可 治氵台 绝纟色 灭一火"
)
SPLIT = {parts[0]: parts[1:] for parts in _PARTS.split()}
