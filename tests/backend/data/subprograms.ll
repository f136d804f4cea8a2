; Static subprograms with the context, scalars and packet pointers, one without a result, and a callback of bpf_loop.
target triple = "bpfel"

define internal i64 @scalars(ptr %ctx, i32 %a, i64 %b) noinline nounwind "no-builtins" section ".text" !dbg !20 {
  %wide = zext i32 %a to i64, !dbg !25
  %sum = add i64 %wide, %b, !dbg !25
  ret i64 %sum, !dbg !25
}

define internal i32 @first(ptr %data, ptr %end) noinline nounwind "no-builtins" section ".text" !dbg !30 {
  %past = getelementptr i8, ptr %data, i64 40, !dbg !35
  %bad = icmp ugt ptr %past, %end, !dbg !35
  br i1 %bad, label %out, label %in, !dbg !35
in:
  %byte = load i8, ptr %data, !dbg !35
  %value = zext i8 %byte to i32, !dbg !35
  ret i32 %value, !dbg !35
out:
  ret i32 0, !dbg !35
}

define internal void @nothing(ptr %ctx) noinline nounwind "no-builtins" section ".text" !dbg !40 {
  %mark = getelementptr i8, ptr %ctx, i64 8, !dbg !45
  store volatile i32 7, ptr %mark, !dbg !45
  ret void, !dbg !45
}

define internal i32 @callback(i32 %index, ptr %sum) nounwind "no-builtins" section ".text" !dbg !50 {
  %old = load i64, ptr %sum, !dbg !55
  %wide = zext i32 %index to i64, !dbg !55
  %new = add i64 %old, %wide, !dbg !55
  store i64 %new, ptr %sum, !dbg !55
  ret i32 0, !dbg !55
}

define dso_local i32 @program(ptr %ctx) nounwind "no-builtins" section "lwt_seg6local" !dbg !10 {
  %sum = alloca i64, align 8
  store i64 0, ptr %sum, !dbg !15
  %data_at = getelementptr i8, ptr %ctx, i64 76, !dbg !15
  %data_32 = load i32, ptr %data_at, !dbg !15
  %data_64 = zext i32 %data_32 to i64, !dbg !15
  %data = inttoptr i64 %data_64 to ptr, !dbg !15
  %end_at = getelementptr i8, ptr %ctx, i64 80, !dbg !15
  %end_32 = load i32, ptr %end_at, !dbg !15
  %end_64 = zext i32 %end_32 to i64, !dbg !15
  %end = inttoptr i64 %end_64 to ptr, !dbg !15
  %byte = call i32 @first(ptr %data, ptr %end), !dbg !15
  %wide = call i64 @scalars(ptr %ctx, i32 %byte, i64 3), !dbg !15
  call void @nothing(ptr %ctx), !dbg !15
  %loops = call i64 inttoptr (i64 181 to ptr)(i32 8, ptr @callback, ptr %sum, i64 0), !dbg !15
  %total = load i64, ptr %sum, !dbg !15
  %both = add i64 %total, %wide, !dbg !15
  %is = icmp eq i64 %both, 0, !dbg !15
  %verdict = select i1 %is, i32 2, i32 0, !dbg !15
  ret i32 %verdict, !dbg !15
}

@_license = dso_local constant [4 x i8] c"GPL\00", section "license", align 1

!llvm.dbg.cu = !{!0}
!llvm.module.flags = !{!1, !2}
!0 = distinct !DICompileUnit(language: DW_LANG_C99, file: !3, isOptimized: true, runtimeVersion: 0, emissionKind: FullDebug, globals: !{})
!1 = !{i32 7, !"Dwarf Version", i32 5}
!2 = !{i32 2, !"Debug Info Version", i32 3}
!3 = !DIFile(filename: "functions/f.py", directory: "", source: "one\0Atwo\0Athree\0Afour\0Afive\0A")
!4 = !DICompositeType(tag: DW_TAG_structure_type, name: "__sk_buff", file: !3, size: 1536, elements: !{})
!5 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !4, size: 64)
!6 = !DIBasicType(name: "unsigned int", size: 32, encoding: DW_ATE_unsigned)
!7 = !DIBasicType(name: "unsigned long long", size: 64, encoding: DW_ATE_unsigned)
!8 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: null, size: 64)
!9 = !DIDerivedType(tag: DW_TAG_pointer_type, baseType: !7, size: 64)

!10 = distinct !DISubprogram(name: "program", scope: !3, file: !3, line: 1, type: !11, scopeLine: 1, flags: DIFlagPrototyped, spFlags: DISPFlagDefinition | DISPFlagOptimized, unit: !0, retainedNodes: !12)
!11 = !DISubroutineType(types: !{!6, !5})
!12 = !{!13}
!13 = !DILocalVariable(name: "ctx", arg: 1, scope: !10, file: !3, line: 1, type: !5)
!15 = !DILocation(line: 1, column: 1, scope: !10)

!20 = distinct !DISubprogram(name: "scalars", scope: !3, file: !3, line: 2, type: !21, scopeLine: 2, flags: DIFlagPrototyped, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized, unit: !0, retainedNodes: !22)
!21 = !DISubroutineType(types: !{!7, !5, !6, !7})
!22 = !{!23, !24, !26}
!23 = !DILocalVariable(name: "ctx", arg: 1, scope: !20, file: !3, line: 2, type: !5)
!24 = !DILocalVariable(name: "a", arg: 2, scope: !20, file: !3, line: 2, type: !6)
!26 = !DILocalVariable(name: "b", arg: 3, scope: !20, file: !3, line: 2, type: !7)
!25 = !DILocation(line: 2, column: 1, scope: !20)

!30 = distinct !DISubprogram(name: "first", scope: !3, file: !3, line: 3, type: !31, scopeLine: 3, flags: DIFlagPrototyped, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized, unit: !0, retainedNodes: !32)
!31 = !DISubroutineType(types: !{!6, !8, !8})
!32 = !{!33, !34}
!33 = !DILocalVariable(name: "data", arg: 1, scope: !30, file: !3, line: 3, type: !8)
!34 = !DILocalVariable(name: "end", arg: 2, scope: !30, file: !3, line: 3, type: !8)
!35 = !DILocation(line: 3, column: 1, scope: !30)

!40 = distinct !DISubprogram(name: "nothing", scope: !3, file: !3, line: 4, type: !41, scopeLine: 4, flags: DIFlagPrototyped, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized, unit: !0, retainedNodes: !42)
!41 = !DISubroutineType(types: !{null, !5})
!42 = !{!43}
!43 = !DILocalVariable(name: "ctx", arg: 1, scope: !40, file: !3, line: 4, type: !5)
!45 = !DILocation(line: 4, column: 1, scope: !40)

!50 = distinct !DISubprogram(name: "callback", scope: !3, file: !3, line: 5, type: !51, scopeLine: 5, flags: DIFlagPrototyped, spFlags: DISPFlagLocalToUnit | DISPFlagDefinition | DISPFlagOptimized, unit: !0, retainedNodes: !52)
!51 = !DISubroutineType(types: !{!6, !6, !9})
!52 = !{!53, !54}
!53 = !DILocalVariable(name: "index", arg: 1, scope: !50, file: !3, line: 5, type: !6)
!54 = !DILocalVariable(name: "sum", arg: 2, scope: !50, file: !3, line: 5, type: !9)
!55 = !DILocation(line: 5, column: 1, scope: !50)
