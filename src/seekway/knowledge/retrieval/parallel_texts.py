"""Short texts in Chinese and in English that say the same, of matters that have nothing to do with one another; written for this project."""

from __future__ import annotations

from typing import Final

PARALLEL_TEXTS: Final[tuple[tuple[str, str], ...]] = (
    (
        "## 借书期限\n\n成人读者一次可以借十本书，期限三十天，可以在网上续借一次。逾期每本每天收一角钱。儿童读者不收逾期费。丢失图书的，按原价的两倍赔偿。",
        "## Loan periods\n\nAdults may borrow ten books at a time for thirty days and renew them online once. Each overdue book costs ten cents a day. Children pay no fines. A lost book is charged at twice its price.",
    ),
    (
        "## 年假\n\n工作满一年的员工每年有十天假，满五年十五天。请假须提前两周在系统里申请，由经理批准。当年没有休完的假可以留到下一年的三月。",
        "## Annual leave\n\nEmployees have ten days of leave after one year and fifteen after five. Apply in the system two weeks ahead; your manager approves it. Days that are left may be taken until March of the next year.",
    ),
    (
        "## 开户需要的材料\n\n请带身份证和一张最近三个月的水电费账单到任意分行。未满十八岁的须由父母陪同。账户当天就可以使用，银行卡七天内寄到家里。",
        "## What you need to open an account\n\nBring an identity card and a utility bill of the last three months to any branch. People under eighteen come with a parent. The account can be used the same day, and the card is mailed to your home within seven days.",
    ),
    (
        "## 手术前的准备\n\n手术前八小时不要吃东西，两小时前可以喝少量清水。请告诉医生您正在服用的药。摘掉首饰和隐形眼镜，并请一位家人陪您回家。",
        "## Before your operation\n\nDo not eat for eight hours before the operation; a little water is allowed until two hours before. Tell the doctor which medicine you take. Leave jewellery and contact lenses at home, and have a relative take you back.",
    ),
    (
        "## 行李\n\n经济舱可以托运一件二十三公斤的行李，随身携带一件七公斤。超重每公斤收费十五元。液体每瓶不超过一百毫升。乐器须提前两天申报。",
        "## Baggage\n\nIn economy class you may check in one piece of 23 kg and carry one of 7 kg. Excess weight costs fifteen dollars a kilogram. Liquids go in bottles of at most 100 ml. Announce musical instruments two days ahead.",
    ),
    (
        "## 安装\n\n运行安装程序，选择语言和文件夹，然后按“下一步”。需要 4 GB 内存和 10 GB 磁盘空间。如果提示错误代码 1603，请以管理员身份再运行一次。",
        "## Installation\n\nRun the installer, choose a language and a folder, and press Next. It needs 4 GB of memory and 10 GB of disk space. If error code 1603 appears, run it again as administrator.",
    ),
    (
        "## 退课\n\n开学两周以内退课，退还全部学费；四周以内退一半；之后不退。因病退课的，提交医院证明可以按剩余的课时退。申请须书面提出。",
        "## Leaving a course\n\nWithin two weeks of the beginning the whole fee is returned, within four weeks a half, later nothing. Those who fall ill are paid back for the lessons left if they hand in a doctor's note. Write to the office.",
    ),
    (
        "## 租房押金\n\n押金为两个月的租金，退租后十四天内退还。墙上的钉孔由房东负责，烧痕和破损由租客承担。交房前请打扫干净并交还所有钥匙。",
        "## Deposit\n\nThe deposit is two months of rent and is returned within fourteen days after you leave. Nail holes are the landlord's matter, burns and damage the tenant's. Clean the flat and hand back all keys.",
    ),
    (
        "## 番茄的种植\n\n四月播种，五月底移到户外，每株相距五十厘米。每天早上浇水，不要淋到叶子。叶子出现黄斑时，剪掉病叶并停止浇水两天。",
        "## Growing tomatoes\n\nSow in April and move the plants outside at the end of May, fifty centimetres apart. Water them every morning without wetting the leaves. When yellow spots appear, cut off the sick leaves and stop watering for two days.",
    ),
    (
        "## 报销\n\n出差回来后十天内提交报销单，附上所有票据。住宿每晚最多五百元，餐费每天一百元。没有票据的费用须由部门负责人签字。款项在月底发放。",
        "## Expenses\n\nHand in your claim within ten days of the trip with all receipts. Hotels are paid up to eighty dollars a night and meals up to twenty a day. The head of the department signs for what has no receipt. Money is paid at the end of the month.",
    ),
)
